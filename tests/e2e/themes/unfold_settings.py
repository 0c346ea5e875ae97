"""The settings of the example shop, with the theme django-unfold."""

from __future__ import annotations

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as SHOP_APPS

# A theme comes first, so that its templates replace Django's.
INSTALLED_APPS = ["unfold", *SHOP_APPS]
