"""A real nginx before an address, as it is set up for upstreams that keep their connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from local.stack.machine.ports import HOST, free_ports
from tests.clients.clients import tool
from tests.eventually import eventually

_CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_max_body_size 5m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream doors {{ server {doors}; keepalive 8; }}
  server {{
    listen {host}:{port};
    location / {{
      proxy_pass http://doors; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


@asynccontextmanager
async def nginx(address: str, folder: Path) -> AsyncIterator[str]:
    """Where it listens. Raises Absent."""
    program = tool("nginx", "nginx-light", also_in="/usr/sbin")
    (port,) = free_ports(1)
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, doors=urlsplit(address).netloc, host=HOST, port=port))
    process = await asyncio.create_subprocess_exec(program, "-e", str(folder / "error.log"), "-c", str(configuration))

    async def listens() -> bool:
        assert process.returncode is None, (folder / "error.log").read_text()
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(listens)
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        await process.wait()
