from __future__ import annotations

from tests.unit.polling.conftest import messente

__all__ = ["messente"]
