"""Pushing files to a repository of the Hub: in one commit, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import CommitInfo, CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from .gathering import Upload, is_ours


def push(
    upload: Upload,
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    message: str = "Upload MiniGPT-4",
    token: str | None = None,
) -> CommitInfo:
    """
    Create a repository where there is none, and write the files in one commit.

    Large files are uploaded first and are not visible until the commit; what was sent before an interruption is not sent again. Files of an
    older push that are not among the new ones are deleted in the same commit; whatever else is there stays.

    Args:
        upload (`Upload`): from [`gather_model`] or [`gather_adapter`].
        repo_id (`str`): `name`, or `owner/name`.
        private (`bool`, defaults to `False`): make a private repository.
        revision (`str`, *optional*): a branch, made from `main` where there is none. Default: `main`.
        message (`str`): of the commit.
        token (`str`, *optional*): default: that of `hf auth login`, or `HF_TOKEN`.

    Returns:
        `huggingface_hub.CommitInfo`: `commit_url` and `oid` are the new commit's.

    Raises:
        OSError: the Hub refused, or could not be reached; the message says why.
        ValueError: the name cannot be, or the repository is public and `private` is set.
    """
    api = HfApi(token=token)
    with _one_line_errors(repo_id):
        repo_id = api.create_repo(repo_id, private=private or None, exist_ok=True).repo_id
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        now = api.model_info(repo_id, revision=revision)
    if private and not now.private:
        raise ValueError(
            f"{repo_id} is there already and is public: make it private on the Hub, or leave --private out."
        )
    there = {sibling.rfilename for sibling in now.siblings or ()}
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationAdd(name, content) for name, content in upload.files.items()),
        *(CommitOperationDelete(name) for name in sorted(there - set(upload.files)) if is_ours(name)),
    ]
    with _one_line_errors(repo_id):
        # With its parent named, the commit is refused if another one was made in the meantime.
        return api.create_commit(repo_id, operations, commit_message=message, revision=revision, parent_commit=now.sha)


def push_dataset(folder: str | Path, repo_id: str, *, private: bool = False, token: str | None = None) -> CommitInfo:
    """
    Create a repository for a data set where there is none, and write a folder into it in one commit, with its card.

    Args:
        folder (`str` or `Path`): with images, `metadata.jsonl` and the card, `README.md`. Other files in the repository stay.
        repo_id (`str`): `name`, or `owner/name`.
        private (`bool`, defaults to `False`): make a private repository.
        token (`str`, *optional*): default: that of `hf auth login`, or `HF_TOKEN`.

    Raises:
        OSError: the Hub refused, or could not be reached; the message says why.
    """
    api = HfApi(token=token)
    with _one_line_errors(repo_id):
        repo_id = api.create_repo(repo_id, repo_type="dataset", private=private or None, exist_ok=True).repo_id
        return api.upload_folder(
            folder_path=folder, repo_id=repo_id, repo_type="dataset", commit_message="Upload descriptions for stage 2"
        )


@contextmanager
def _one_line_errors(repo_id: str) -> Iterator[None]:
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise OSError(f"{repo_id}: not logged in: run hf auth login.") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        hint = {401: " Log in with hf auth login.", 403: " Give a name of your own, or a token that may write."}
        reason = error.server_message or next(iter(str(error).splitlines()), "no reason given")
        raise OSError(
            f"{repo_id}: the Hub says {status}: {reason.strip().rstrip('.')}.{hint.get(status, '')}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{repo_id}: {' '.join(str(error).split())}") from error
    except Exception as error:  # whatever the network does
        reasons = dict.fromkeys(" ".join(str(one).split()).rstrip(".") for one in (error, error.__cause__) if one)
        raise OSError(
            f"{repo_id}: {': '.join(filter(None, reasons)) or type(error).__name__}. A push is one commit, which is there whole "
            "or not at all; push again, and nothing is sent twice."
        ) from error
