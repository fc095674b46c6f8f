# The service in a container: Debian's Python, dependencies from the hashed lock, an ordinary user.
FROM debian:12-slim

RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/mingluo --shell /usr/sbin/nologin mingluo

WORKDIR /opt/mingluo
COPY requirements.lock ./
RUN python3 -m venv .venv \
 && .venv/bin/python -m pip install --no-cache-dir --require-hashes -r requirements.lock

COPY config ./config
COPY migrations ./migrations
COPY channels ./channels
COPY dispatcher ./dispatcher

# Everything the service writes lies under MINGLUO_HOME; only there may its user write.
ENV PYTHONUTF8=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ENV MINGLUO_HOME=/var/lib/mingluo MINGLUO_CONFIG=/opt/mingluo/config MINGLUO_LISTEN=0.0.0.0:8080
VOLUME /var/lib/mingluo
EXPOSE 8080
USER mingluo

HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD [".venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/live', timeout=4)"]
CMD [".venv/bin/python", "-m", "dispatcher", "serve"]
