"""Posts the requests of the files named, with the package named first: requests or httpx."""

import importlib
import sys
from pathlib import Path


def main(package: str, files: list[str]) -> None:
    module = importlib.import_module(package)
    with module.Client() if package == "httpx" else module.Session() as client:
        for file in files:
            head, _, body = Path(file).read_bytes().partition(b"\n\n")
            url, *lines = head.decode().split("\n")
            headers = dict(line.split(": ", 1) for line in lines)
            print(client.post(url, headers=headers, **{"content" if package == "httpx" else "data": body}).status_code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
