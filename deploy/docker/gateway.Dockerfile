# The api: REST, the web page and gRPC.
# The context is the root of the checkout; deploy/docker/README.md has the commands.

FROM python:3.11.15-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY deploy/docker/locks/build.txt deploy/docker/locks/gateway.txt locks/
# What the sources need comes before them: it changes less often, and its layer stays.
RUN python -m venv /opt/chorus \
    && /opt/chorus/bin/python -m pip install --no-compile --require-hashes \
        --requirement locks/build.txt --requirement locks/gateway.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY services services
RUN /opt/chorus/bin/python -m pip install --no-compile --no-deps --no-build-isolation . \
    && /opt/chorus/bin/python -m pip uninstall --yes pip setuptools \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/chorus/lib

FROM build AS sbom
COPY deploy/docker/locks/sbom.txt locks/
RUN python -m venv /opt/sbom \
    && /opt/sbom/bin/python -m pip install --require-hashes --requirement locks/sbom.txt \
    && /opt/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
        --output-file /opt/chorus.cdx.json /opt/chorus/bin/python

FROM python:3.11.15-slim-bookworm
# The base brings an installer, which nothing that serves needs.
RUN python -m pip uninstall --yes pip setuptools wheel \
    && rm -rf /usr/local/lib/python3.11/ensurepip \
    && install --directory --owner=10001 --group=10001 --mode=0700 /scratch
COPY --from=build /opt/chorus /opt/chorus
COPY --from=sbom /opt/chorus.cdx.json /usr/share/sbom/chorus.cdx.json
COPY deploy/docker/health.py /opt/health.py
# The root may be read-only: whatever is written goes to /scratch, which is on no import path (PYTHONSAFEPATH).
ENV PATH=/opt/chorus/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/scratch \
    TMPDIR=/scratch \
    CHORUS_HOST=0.0.0.0 \
    CHORUS_METRICS_HOST=0.0.0.0 \
    CHORUS_METRICS_PORT=9464 \
    CHORUS_SCRATCH=/scratch \
    CHORUS_LOG_FORM=json
WORKDIR /scratch
VOLUME /scratch
USER 10001:10001
EXPOSE 7860 7861 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --start-interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "/opt/health.py", "http://127.0.0.1:7860/readyz"]
ENTRYPOINT ["python", "-m", "services.gateway"]

ARG REVISION=unknown SOURCE=unknown
LABEL org.opencontainers.image.title="chorus-gateway" \
    org.opencontainers.image.description="Chorus: the doors, REST, web page and gRPC" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.source="$SOURCE" \
    org.opencontainers.image.licenses="Apache-2.0"
