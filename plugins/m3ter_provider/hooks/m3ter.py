"""The hooks for m3ter: :class:`M3terHook` for single calls, :class:`M3terAsyncHook` for many at once."""

from __future__ import annotations

from m3ter_provider.hooks.m3ter_async import M3terAsyncHook

__all__ = ["M3terAsyncHook"]
