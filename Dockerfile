# The images of compose.yaml, a target each: docker build --target env-server --tag assay-env-server .
# BASE is any image with pip and Python 3.11 or newer; by digest (python@sha256:…) where builds have to repeat.
ARG BASE=python:3.11-slim
FROM ${BASE} AS project
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/assay
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY sandboxes sandboxes
COPY rewarders rewarders
COPY env_server env_server
COPY trainer trainer
RUN useradd --system --uid 10001 --no-create-home assay && install --directory --owner assay /var/lib/assay

FROM project AS env-server
RUN pip install --constraint constraints.txt ".[server,postgres]"
USER assay
WORKDIR /var/lib/assay
VOLUME /var/lib/assay
EXPOSE 8080
ENTRYPOINT ["env-server"]
CMD ["serve", "--data-dir", "/var/lib/assay"]

# Python and Bash are there; other languages are Debian packages: --build-arg TOOLCHAINS="gcc g++ nodejs".
FROM project AS sandboxes
ARG TOOLCHAINS=""
RUN if [ -n "$TOOLCHAINS" ]; then \
      apt-get update && apt-get install --yes --no-install-recommends $TOOLCHAINS && rm -rf /var/lib/apt/lists/*; \
    fi
RUN pip install --constraint constraints.txt ".[server]"
USER 65534:65534
WORKDIR /tmp
EXPOSE 8090
ENTRYPOINT ["python", "-m", "sandboxes"]
CMD ["serve"]

FROM project AS trainer
RUN pip install --constraint constraints.txt ".[trainer,data]"
USER assay
WORKDIR /var/lib/assay
VOLUME /var/lib/assay
ENTRYPOINT ["trainer"]
