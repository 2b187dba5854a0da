# The reward service alone. Build: docker build --tag assay .
FROM python:3.11-slim

WORKDIR /opt/assay
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY sandboxes sandboxes
COPY rewarders rewarders
COPY env_server env_server
COPY trainer trainer
RUN pip install --no-cache-dir --constraint constraints.txt ".[server]" \
 && useradd --system --no-create-home assay \
 && install --directory --owner assay /var/lib/assay

USER assay
VOLUME /var/lib/assay
EXPOSE 8080
ENTRYPOINT ["env-server"]
CMD ["serve", "--data-dir", "/var/lib/assay"]
