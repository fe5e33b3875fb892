"""The responses of spend, which the decomposition reads too, under the name by which the allocation knows them."""

from dsam_assets.design.response import Branch, Curvature, Kind, Response, ResponseBank

__all__ = ["Branch", "Curvature", "Kind", "Response", "ResponseBank"]
