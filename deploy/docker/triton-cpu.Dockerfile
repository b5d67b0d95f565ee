# Triton for machines without a GPU: the server of the package nvidia-pytriton, our ONNX backend, our models.
# The context is the root of the checkout; deploy/docker/README.md has the commands.

FROM python:3.11.15-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY deploy/docker/locks/triton-cpu.txt locks/
RUN python -m venv /opt/triton \
    && /opt/triton/bin/python -m pip install --no-compile --no-deps --require-hashes \
        --requirement locks/triton-cpu.txt \
    && /opt/triton/bin/python -m pip uninstall --yes pip setuptools \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/triton/lib
# Triton takes a backend from one folder, and none of whose libraries may be a link out of it.
COPY services/local/backends /opt/backends
WORKDIR /opt/triton/lib/python3.11/site-packages/pytriton/tritonserver
RUN mkdir /opt/backends/python \
    && cp backends/python/*.* python_backend_stubs/3.11/triton_python_backend_stub /opt/backends/python/ \
    && ln -s "$PWD/bin/tritonserver" /opt/triton/bin/tritonserver

FROM build AS sbom
WORKDIR /src
COPY deploy/docker/locks/sbom.txt locks/
RUN python -m venv /opt/sbom \
    && /opt/sbom/bin/python -m pip install --require-hashes --requirement locks/sbom.txt \
    && /opt/sbom/bin/cyclonedx-py environment --output-reproducible --output-file /opt/chorus.cdx.json /opt/triton/bin/python

FROM python:3.11.15-slim-bookworm
# The base brings an installer, which nothing that serves needs. Triton's Python backend insists on /tmp.
RUN python -m pip uninstall --yes pip setuptools wheel \
    && rm -rf /usr/local/lib/python3.11/ensurepip /tmp \
    && install --directory --owner=10001 --group=10001 --mode=0700 /scratch \
    && ln -s /scratch /tmp
COPY --from=build /opt/triton /opt/triton
COPY --from=build /opt/backends /opt/backends
COPY --from=sbom /opt/chorus.cdx.json /usr/share/sbom/chorus.cdx.json
COPY deploy/docker/health.py /opt/health.py
COPY model_repository /models
# A model's process takes the environment of the first python3 on PATH for its own; libpython is the base's.
# ONNX Runtime tells Microsoft about every session unless it is told not to.
ENV PATH=/opt/triton/bin:$PATH \
    LD_LIBRARY_PATH=/opt/triton/lib/python3.11/site-packages/nvidia_pytriton.libs:/usr/local/lib \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/scratch \
    TMPDIR=/scratch
WORKDIR /scratch
VOLUME /scratch
USER 10001:10001
EXPOSE 8000 8001 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --start-interval=5s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "/opt/health.py", "http://127.0.0.1:8000/v2/health/ready"]
ENTRYPOINT ["tritonserver"]
CMD ["--model-repository=/models", "--backend-directory=/opt/backends", "--disable-auto-complete-config", \
     "--http-port=8000", "--grpc-port=8001", "--metrics-port=8002", "--exit-timeout-secs=5", \
     "--grpc-max-connection-age=10000"]

ARG REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="chorus-triton-cpu" \
    org.opencontainers.image.description="Chorus: NVIDIA Triton with the models, on processors" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.source="$SOURCE" \
    org.opencontainers.image.licenses="Apache-2.0"
