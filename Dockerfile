# syntax=docker/dockerfile:1
# One image for every service of compose.yaml; each gives its own command. On its own it runs
# everything in one container:
#   docker build -t co2-assets:local .
#   docker run --rm --read-only --tmpfs /tmp -v co2:/data \
#     -p 127.0.0.1:8050:8050 -p 127.0.0.1:3000:3000 co2-assets:local

FROM python:3.11.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
WORKDIR /src
COPY constraints.txt ./
# PyTorch's own CPU build: the default one brings gigabytes of CUDA.
RUN /opt/venv/bin/pip install --extra-index-url https://download.pytorch.org/whl/cpu \
      "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml README.md LICENSE ./
# Empty packages are enough to install from, so a change of code does not install everything again.
RUN mkdir co2_assets co2_dash \
 && touch co2_assets/__init__.py co2_dash/__init__.py \
 && /opt/venv/bin/pip install --constraint constraints.txt --editable '.[postgres]'
# What nothing reads at run time: tests, PyTorch's C++ headers and test programs, maps of minified scripts,
# and pip itself, which could write nothing in the read-only image: 370 of 1,690 MB.
RUN find /opt/venv -type d \( -path '*/torch/test' -o -path '*/torch/include' -o -name tests \) -prune -exec rm -r {} + \
 && find /opt/venv -path '*/torch/bin/*' -type f ! -name torch_shm_manager -delete \
 && find /opt/venv -name '*.map' -delete \
 && /opt/venv/bin/pip uninstall --quiet --yes pip

FROM python:3.11.13-slim-bookworm
LABEL org.opencontainers.image.title="co2-assets" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.description="Forecast of how clean Denmark's power will be"
RUN useradd --uid 10001 --create-home --home-dir /data co2
COPY --from=build /opt/venv /opt/venv
WORKDIR /src
COPY deploy/dagster.postgres.yaml /opt/dagster/dagster.yaml
COPY deploy/workspace.grpc.yaml /opt/dagster/workspace.yaml
COPY workspace.yaml dagster.yaml ./
COPY co2_assets co2_assets
COPY co2_dash co2_dash
# The file system is read-only when the image runs, so the code is compiled here.
RUN python -m compileall -q co2_assets co2_dash
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    CO2_HOME=/data TMPDIR=/tmp
USER 10001
# All state lies here.
VOLUME /data
EXPOSE 3000 8050
# Past any proxy of the environment: none leads to this container.
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s \
  CMD ["python", "-c", "import urllib.request as u; u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:8050/healthz', timeout=4)"]
# Loopback inside a container cannot be reached from outside, hence 0.0.0.0. Publish the ports to
# loopback of the host only, as above, or put them behind a login (docs/operations.md).
CMD ["co2", "up", "--host", "0.0.0.0"]
