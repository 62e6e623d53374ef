# Any Python from 3.11 on that has venv will do: --build-arg PYTHON_IMAGE=…
ARG PYTHON_IMAGE=python:3.13-slim


FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# pip lives beside the environment that is shipped, not in it.
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/gcsched

# Dependencies are a layer of their own: it stays while pyproject.toml does.
COPY pyproject.toml ./
RUN python3 -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
extras = project["optional-dependencies"]; \
print(*project["dependencies"], *extras["server"], *extras["fast"], sep="\n")' > requirements.txt \
 && /opt/pip/bin/python3 -m pip --python /opt/gcsched/bin/python3 install -r requirements.txt

COPY README.md LICENSE ./
COPY proto proto
COPY templates templates
COPY gcsched gcsched
RUN /opt/pip/bin/python3 -m pip --python /opt/gcsched/bin/python3 install --no-deps .


FROM ${PYTHON_IMAGE}

# Nothing is installed here any more. The base may bring no pip at all.
RUN if python3 -c 'import pip' 2>/dev/null; then \
      python3 -m pip uninstall --yes --root-user-action ignore pip; \
    fi

COPY --from=builder /opt/gcsched /opt/gcsched
# The official base comes without compiled bytecode, and at run time nobody may write any: so load
# everything once while we may, which leaves the bytecode of just what is used.
RUN /opt/gcsched/bin/python3 -c 'import gcsched.app, gcsched.wiring.console, gcsched.__main__, gcsched.cli.commands.health, gcsched.proxies, grpc_health.v1.health_pb2_grpc, tzdata, uvloop'

ENV PATH=/opt/gcsched/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    GCSCHED_GRPC_LISTEN=0.0.0.0:50051 \
    GCSCHED_HTTP_LISTEN=0.0.0.0:8080

# A number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /
EXPOSE 50051 8080 8090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["gcsched", "health"]
ENTRYPOINT ["gcsched"]
CMD ["serve"]

ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="gcsched" \
      org.opencontainers.image.description="Mail this person an invitation at this time: on time, once, whatever crashes." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
