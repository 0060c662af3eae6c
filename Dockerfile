# The worker alone: no room server, no demo model, no development tools.
#
#   docker build -t livekit-room-agent .
#   docker run --env-file .env --stop-timeout 1830 --read-only --tmpfs /tmp livekit-room-agent
#
# With `--build-arg VOICE=off` the image only writes: 75 MB less, and microphones are left alone.
#
# On `docker stop` the worker lets its rooms finish, for DRAIN_TIMEOUT seconds at most; give it a
# stop timeout to match, or Docker kills it after 10 seconds.

# By the digest of the index of all architectures; the tag before it is for people.
ARG PYTHON=3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
ARG VOICE=auto

FROM python:${PYTHON} AS build
ARG VOICE
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY requirements-uv.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-uv.lock
# The dependencies first: their layer stays as it is while only the code changes.
COPY requirements.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv .venv \
    && uv pip sync --require-hashes --python .venv/bin/python requirements.lock \
    && if [ "${VOICE}" = off ]; then \
        uv pip uninstall --python .venv/bin/python livekit-plugins-silero onnxruntime; \
    fi
COPY agent/ agent/
COPY toolkit/ toolkit/
COPY tools/ tools/
RUN .venv/bin/python -m compileall -q agent toolkit tools

FROM python:${PYTHON}
ARG VOICE
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin agent \
    && install --directory --owner 10001 /data
# Owned by root: the worker cannot change its own code.
COPY --from=build /app /app
WORKDIR /app
# The history of a worker without a DATABASE_URL of its own, and the files that people send; mount
# a volume there to keep them.
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VOICE=${VOICE} \
    DATABASE_URL=sqlite:////data/agent.db \
    ATTACHMENTS_DIR=/data/attachments
VOLUME /data
USER 10001
EXPOSE 8081
# The worker answers 503 on / once it has lost the LiveKit server for good.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + (os.environ.get('HTTP_PORT') or '8081'), timeout=2)"]
CMD ["python", "-m", "agent", "start"]
