# zspot on the CPU: its web page, its command line, and workers of a Dask cluster. docs/install.md says how.
FROM python:3.12-slim

RUN pip install --no-cache-dir torch --index-url https://download.pytorch.org/whl/cpu
COPY pyproject.toml README.md LICENSE /zspot/
COPY src /zspot/src
RUN pip install --no-cache-dir "/zspot[web,batch,zarr,bioio,raw,fits,dicom,exr]" && useradd --create-home zspot
USER zspot
CMD ["zspot", "web"]
