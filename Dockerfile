# The web page of zspot on the CPU: docker build -t zspot . && docker run --rm --network host zspot
FROM python:3.12-slim

RUN pip install --no-cache-dir torch --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE /zspot/
COPY src /zspot/src
RUN pip install --no-cache-dir "/zspot[web,raw,fits,dicom,exr]" && useradd --create-home zspot
USER zspot
CMD ["zspot", "web"]
