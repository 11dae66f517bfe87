# The image of the pull step: git ghost, git and ssh, nothing to build with.
#
#   docker build -t git-ghost .            or `make image`, with docker, podman or buildah
#   docker build --build-arg BASE=… .      any Debian or Ubuntu; see docs/cluster.md
#
# It runs with a read-only root, without capabilities and as any user: what it writes goes to /tmp
# and to the volume it is told to fill.
ARG BASE=docker.io/library/debian:bookworm-slim

# --- what both stages need ------------------------------------------------------------------------
FROM ${BASE} AS system
USER 0
# A base that has git, ssh and python3 is taken as it is. Where they are installed here, what a pull
# never runs goes again: perl beyond Debian's own perl-base (47 MB), which git wants for
# `git send-email` and the like, so git is told that it does without, and apt stays content with
# what there is; git's servers (11 MB); lists, logs and docs.
RUN set -eu; \
    if ! { command -v git && command -v ssh && command -v python3; } >/dev/null; then \
        export DEBIAN_FRONTEND=noninteractive; \
        apt-get update -q; \
        apt-get install -y -q --no-install-recommends \
            ca-certificates git libnss-wrapper openssh-client python3; \
        sed -i -E '/^Package: git$/,/^$/{/^Depends:/s/, (perl|liberror-perl|git-man)( \([^)]*\))?//g}' \
            /var/lib/dpkg/status; \
        apt-get purge -y -q --auto-remove git-man liberror-perl perl; \
        cd /usr/lib/git-core; \
        rm -f git-daemon git-http-backend git-http-push git-imap-send git-instaweb git-shell scalar; \
        rm -f /usr/bin/git-shell /usr/bin/scalar; \
        rm -rf /usr/share/doc/* /usr/share/gitweb /usr/share/locale/* /usr/share/man/* \
            /var/cache/apt/* /var/cache/debconf/*-old /var/lib/apt/lists/* \
            /var/lib/dpkg/*-old /var/log/apt /var/log/*.log; \
    fi; \
    grep -q ':65533:' /etc/group || echo 'ghost:x:65533:' >>/etc/group; \
    grep -q ':65533:' /etc/passwd || \
        echo 'ghost:x:65533:65533:git ghost:/tmp:/usr/sbin/nologin' >>/etc/passwd; \
    ln -sf /opt/git-ghost/bin/git-ghost /usr/local/bin/git-ghost

# --- git ghost, installed by a pip that stays behind ------------------------------------------------
FROM system AS build
# A mirror of PyPI, and the certificates to trust it by, for networks that have their own.
ARG PIP_INDEX_URL
ARG PIP_CERT
RUN set -eu; \
    if ! python3 -c 'import ensurepip' 2>/dev/null; then \
        apt-get update -q; \
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3-venv; \
    fi; \
    python3 -m venv /opt/pip; \
    python3 -m venv --without-pip /opt/git-ghost
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/
# pygments and markdown-it-py (9 MB) come with rich, for what git ghost never shows.
RUN set -eu; \
    pip() { /opt/pip/bin/python -m pip --no-cache-dir --disable-pip-version-check "$@"; }; \
    pip install --quiet --no-compile --require-hashes -r requirements/build.txt; \
    pip --python /opt/git-ghost/bin/python install --quiet --no-compile --require-hashes \
        -r requirements/run.txt; \
    pip --python /opt/git-ghost/bin/python uninstall --quiet --yes markdown-it-py mdurl pygments
COPY pyproject.toml README.md LICENSE ./
COPY scripts/hatch_build.py scripts/
COPY git_ghost git_ghost
# The byte code is never checked against its source: nothing in an image changes.
RUN set -eu; \
    pip() { /opt/pip/bin/python -m pip --no-cache-dir --disable-pip-version-check "$@"; }; \
    pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /tmp/wheel .; \
    pip --python /opt/git-ghost/bin/python install --quiet --no-compile --no-deps /tmp/wheel/*; \
    cd /opt/git-ghost; \
    find lib -type d -name tests -prune -exec rm -rf {} +; \
    rm -rf bin/[aA]ctivate* bin/dul* include share; \
    bin/python -m compileall -q --invalidation-mode unchecked-hash lib

# --- the image --------------------------------------------------------------------------------------
FROM system
ARG VERSION=unknown
LABEL org.opencontainers.image.title="git ghost" \
    org.opencontainers.image.description="Rebuilds the exact working tree that was pushed" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/git-ghost /opt/git-ghost
ENV HOME=/tmp LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
USER 65533:65533
ENTRYPOINT ["git-ghost"]
