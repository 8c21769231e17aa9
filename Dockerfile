# The web service and the command line, on PyTorch's CPU build:
#   docker build -t emotions . && docker run --rm -p 127.0.0.1:8000:8000 emotions
# It writes nothing, so `docker run --read-only` works as well. With a token:
#   FER_SKLEARN_TOKEN=... docker run --rm -e FER_SKLEARN_TOKEN -p 8000:8000 emotions
FROM python:3.11-slim

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY fer_sklearn fer_sklearn
RUN pip install --no-cache-dir -c constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu '.[serve,photos,onnx]' \
    && useradd --system --no-create-home emotions

USER emotions
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", \
    "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=5)"]
ENTRYPOINT ["fer-sklearn"]
CMD ["serve", "--host", "0.0.0.0"]
