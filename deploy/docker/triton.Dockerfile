# Triton for GPUs: NVIDIA's container, whose own onnxruntime backend serves our models by CUDA. Where TensorRT shall
# compute, /opt/plans.py prepares a repository and plans before the start.
# The context is the root of the checkout; deploy/docker/README.md has the commands.

FROM nvcr.io/nvidia/tritonserver:25.12-py3
RUN install --directory --owner=10001 --group=10001 --mode=0700 /scratch /repository /plans
COPY deploy/docker/health.py deploy/docker/plans.py services/local/gpus.py /opt/
COPY model_repository /models
# ONNX Runtime may tell Microsoft about every session unless it is told not to.
ENV ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/scratch \
    TMPDIR=/scratch
WORKDIR /scratch
VOLUME /scratch
USER 10001:10001
EXPOSE 8000 8001 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --start-interval=5s --timeout=5s --start-period=300s --retries=3 \
    CMD ["python3", "/opt/health.py", "http://127.0.0.1:8000/v2/health/ready"]
ENTRYPOINT ["tritonserver"]
CMD ["--model-repository=/models", "--disable-auto-complete-config", \
     "--http-port=8000", "--grpc-port=8001", "--metrics-port=8002", "--exit-timeout-secs=5", \
     "--grpc-max-connection-age=10000"]

ARG REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="chorus-triton" \
    org.opencontainers.image.description="Chorus: NVIDIA Triton with the models, on GPUs" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.source="$SOURCE" \
    org.opencontainers.image.licenses="Apache-2.0"
