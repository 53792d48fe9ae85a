# The image with what only a developer's machine has besides: recordings, `wootstream replay`, Chatwoot's double.
ARG VERSION=0.1.0
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY local/image/requirements-demo.lock ./
RUN python3 -m venv tools \
 && tools/bin/pip install --no-cache-dir --only-binary=:all: --require-hashes --target /opt/demo -r requirements-demo.lock

FROM wootstream:${VERSION}
COPY --from=build /opt/demo /opt/demo
COPY local /opt/demo/local
ENV PYTHONPATH=/opt/demo
