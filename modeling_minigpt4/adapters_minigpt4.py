"""Which model an adapter belongs to: a note beside its weights, written by training, checked when it is loaded."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from transformers.integrations import PeftAdapterMixin
from transformers.utils import cached_file


NOTE = "base.json"
SAMPLES, SAMPLE_BYTES = 256, 4096
# What packaging changes in a configuration without changing the network.
PACKAGING = ("auto_map", "dtype", "transformers_version")
# Where a checkpoint is loaded from, besides its name.
CHECKPOINT_KWARGS = ("cache_dir", "local_files_only", "revision", "token")


def _without_packaging(fields: dict) -> dict:
    return {key: value for key, value in fields.items() if key not in PACKAGING}


@dataclass(frozen=True)
class Base:
    """The frozen model that a checkpoint belongs to: folder or Hub id, revision, and fingerprint."""

    name: str
    revision: str
    fingerprint: str


def describe_base(name: str, revision: str | None = None, **download_kwargs) -> Base:
    """
    Note which model this is.

    The fingerprint covers configuration, names and sizes of the weight files, and 256 pieces of 4 KiB spread over each of
    them: models that were trained differently differ there, and 26 GB need not be read.

    Args:
        name (`str`): folder or Hub id.
        revision (`str`, *optional*): which one of the Hub's; default: the newest.
        download_kwargs: `cache_dir`, `token` and the like.

    Raises:
        OSError: the model is not there.
    """
    folder = Path(name)
    if folder.is_dir():
        name = str(folder.resolve())
    config_file = Path(cached_file(name, "config.json", revision=revision, **download_kwargs))
    config = json.loads(config_file.read_text(encoding="utf-8"), object_hook=_without_packaging)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for file in sorted((*config_file.parent.glob("*.safetensors"), *config_file.parent.glob("*.bin"))):
        size = file.stat().st_size
        digest.update(f"{file.name} {size}".encode())
        with file.open("rb") as content:
            for sample in range(SAMPLES):
                content.seek(max(0, size - SAMPLE_BYTES) * sample // (SAMPLES - 1))
                digest.update(content.read(SAMPLE_BYTES))
    return Base(name, revision or "main", digest.hexdigest())


def note_base(folder: str | Path, base: Base) -> None:
    """Write beside an adapter which model it belongs to."""
    (Path(folder) / NOTE).write_text(json.dumps(asdict(base), indent=2), encoding="utf-8")


def read_base(adapter: str | Path, **download_kwargs) -> Base | None:
    """The model noted beside an adapter (a folder or a Hub id); `None` where another tool made it without a note."""
    note = cached_file(adapter, NOTE, _raise_exceptions_for_missing_entries=False, **download_kwargs)
    return None if note is None else Base(**json.loads(Path(note).read_text(encoding="utf-8")))


def refuse_another_base(
    adapter: str | Path,
    name: str,
    adapter_revision: str | None = None,
    revision: str | None = None,
    **download_kwargs,
) -> None:
    """
    Check that an adapter was trained on the model `name`. Revisions are those of the Hub.

    Raises:
        ValueError: it was trained on another one, or that one has changed.
    """
    noted = read_base(adapter, revision=adapter_revision, **download_kwargs)
    if noted is None or describe_base(name, revision, **download_kwargs).fingerprint == noted.fingerprint:
        return
    if noted.name in (name, str(Path(name).resolve())):
        raise ValueError(
            f"{adapter} belongs to another model than {name} is now: its weights or configuration have changed since. "
            "Restore the old ones, or train again."
        )
    raise ValueError(f"{adapter} belongs to {noted.name}, not to {name}: load it with the model it was trained on.")


class AdapterLoadingMixin(PeftAdapterMixin):
    """`load_adapter` of a model that takes its own adapters only. `from_pretrained` notes where the model came from."""

    _checkpoint_kwargs: dict = {}

    def load_adapter(
        self, peft_model_id=None, adapter_name=None, *args, adapter_kwargs=None, load_config=None, **kwargs
    ):
        """
        See `PreTrainedModel.load_adapter`, which `from_pretrained` of an adapter's folder calls, too.

        Raises:
            ValueError: if the adapter was trained on another model than this one, or its keys are not this model's.
        """
        if peft_model_id is not None:
            where = self._checkpoint_kwargs if load_config is None else load_config.download_kwargs
            where = {name: where[name] for name in CHECKPOINT_KWARGS if name in where}
            adapter_revision = (adapter_kwargs or {}).get("revision")
            refuse_another_base(peft_model_id, self.name_or_path, adapter_revision=adapter_revision, **where)
        report = super().load_adapter(
            peft_model_id, adapter_name, *args, adapter_kwargs=adapter_kwargs, load_config=load_config, **kwargs
        )
        # The report counts keys of other adapters, and all in which the name of this one occurs somewhere.
        missing = {key for key in report.missing_keys if f".{adapter_name or 'default'}." in f"{key}."}
        if differing := sorted(missing | report.unexpected_keys):
            kind = "missing" if differing[0] in missing else "unexpected"
            raise ValueError(
                f"{peft_model_id} does not fit the model: {len(differing)} keys differ, first {differing[0]} ({kind})."
            )
        return report
