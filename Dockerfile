# OARflow as a MONAI Application Package. docs/how-to/build-the-image.md says how to build and run it.
#
#   docker build -t oarflow:0.1.0-cuda .                                for NVIDIA GPUs (and CPU)
#   docker build -t oarflow:0.1.0-cpu --build-arg BASE=debian:bookworm-slim \
#       --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu . for CPU alone, 2 GB
#
# A machine's own pip configuration and certificates come as secrets and leave nothing behind:
#   --secret id=pipconf,src=pip.conf --secret id=ca,src=ca.crt   (pip.conf: cert = /run/secrets/ca)

# Debian or Ubuntu with Python 3.11 or 3.12. The base image of CUDA 13 brings its runtime library.
ARG BASE=nvidia/cuda:13.0.0-base-ubuntu24.04

FROM ${BASE} AS python
RUN python3 -m ensurepip --version >/dev/null 2>&1 || { \
        apt-get update && \
        apt-get install -y --no-install-recommends ca-certificates python3 python3-venv && \
        rm -rf /var/lib/apt/lists/*; \
    }

FROM python AS packages
ARG TORCH_INDEX=
COPY requirements/lock.txt requirements/torch.txt requirements/image.txt /build/
# torch comes with what it declares, everything else alone (requirements/image.txt says why). The
# first start of Python completes holoscan's installation; pip is not needed after it. Nor is triton,
# which comes with torch for CUDA: it needs a C compiler at run time, and torch does without it.
RUN --mount=type=secret,id=pipconf --mount=type=secret,id=ca \
    export PIP_CONFIG_FILE=/run/secrets/pipconf PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 && \
    umask 022 && \
    python3 -m venv /opt/venv && \
    /opt/venv/bin/python -m pip install -q -c /build/lock.txt -c /build/torch.txt \
        ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch && \
    /opt/venv/bin/python -m pip install -q --no-deps -c /build/lock.txt -r /build/image.txt && \
    /opt/venv/bin/python -c "" && \
    /opt/venv/bin/python -m pip uninstall -q -y triton pip

FROM packages AS layout
COPY . /src
RUN umask 022 && cd /src && PATH=/opt/venv/bin:$PATH sh deploy/layout /image

# On the packages as they are: gigabytes that are copied once less, and found again by a rebuild. Their
# lists stay in /build.
FROM packages
COPY --from=layout /image /
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG BASE
LABEL org.opencontainers.image.title="OARflow" \
      org.opencontainers.image.description="Contours of the organs at risk on planning CTs of the head and neck, as DICOM RTSTRUCT. Research use only." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.nvidia.holoscan="4.2.0" \
      org.monai.deploy.app-sdk="4.0.0"
# Neither input nor output here: they would overrule hosts that name them by other variables.
# Without USER and HOME, libraries fail for a user that no passwd entry names.
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/tmp \
    USER=oarflow \
    XDG_CACHE_HOME=/tmp/.cache \
    TORCH_HOME=/tmp/.torch \
    TORCHINDUCTOR_CACHE_DIR=/tmp/.inductor \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 1000:0
WORKDIR /var/holoscan
ENTRYPOINT ["/opt/holoscan/app/entrypoint"]
