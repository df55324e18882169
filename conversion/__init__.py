"""The published files <-> complete folders: convert, verify, export, assemble."""

from minigpt4.checkpoints.families import FAMILIES, Family, get_family

from .assemble import assemble
from .convert import convert
from .export import export
from .verify import print_report, verify


__all__ = ["FAMILIES", "Family", "assemble", "convert", "export", "get_family", "print_report", "verify"]
