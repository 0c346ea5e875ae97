"""Request every URL of a file in random order, and print the number of each status: ``deliver.py file seed``."""

from __future__ import annotations

import http.client
import json
import random
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit


def main() -> None:
    urls = Path(sys.argv[1]).read_text().split()
    random.Random(int(sys.argv[2])).shuffle(urls)
    statuses: Counter[int] = Counter()
    for url in urls:
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        connection.request("GET", f"{parts.path}?{parts.query}")
        statuses[connection.getresponse().status] += 1
        connection.close()
    print(json.dumps(statuses))  # noqa: T201 - the test reads this output


if __name__ == "__main__":
    main()
