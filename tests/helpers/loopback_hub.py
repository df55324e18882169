"""A Hub on the loopback device: enough of its API for huggingface_hub's real client, with real commits and real faults."""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit


TOKEN = "hf_loopbackLoopbackLoopback"
USER = "somebody"
REPO = r"(?:(?P<kind>models|datasets|spaces)/)?(?P<repo>[\w.-]+/[\w.-]+)"
LARGE = (".safetensors", ".png", ".parquet")


@dataclass
class Repo:
    """Branches are lists of commits, oldest first; a commit is its files."""

    private: bool = False
    branches: dict[str, list[dict[str, bytes]]] = field(default_factory=lambda: {"main": [{".gitattributes": b""}]})

    @property
    def files(self) -> dict[str, bytes]:
        """The newest on the main branch."""
        return self.branches["main"][-1]

    def oid(self, revision: str) -> str | None:
        if revision in self.branches:
            return self._oid(revision, len(self.branches[revision]) - 1)
        known = ((name, index) for name, commits in self.branches.items() for index in range(len(commits)))
        return revision if revision in (self._oid(*place) for place in known) else None

    def at(self, oid: str) -> dict[str, bytes]:
        for name, commits in self.branches.items():
            for index, files in enumerate(commits):
                if self._oid(name, index) == oid:
                    return files
        raise KeyError(oid)

    def _oid(self, branch: str, index: int) -> str:
        return hashlib.sha1(f"{branch} {index}".encode()).hexdigest()


class LoopbackHub(ThreadingHTTPServer):
    """
    Answers on 127.0.0.1 until `close()`. Only `TOKEN` may write, and only below `USER`.

    Args:
        drop: how many of the next uploads of large files are cut off in the middle.
        quota: bytes of large files that may be stored; the rest is refused as the Hub does.
        refuse_commit: whether the connection is dropped when the commit arrives.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.drop, self.quota, self.refuse_commit = 0, None, False
        self.lock = threading.Lock()
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        pass  # a connection that was cut off on purpose


class Handler(BaseHTTPRequestHandler):
    server: LoopbackHub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.route()

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def route(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(f"{self.command} {path}")
        # Read before anything is answered: a connection that is closed with something unread is reset.
        self.content = self.body() if self.command == "POST" else b""
        for pattern, method in ROUTES:
            if match := re.fullmatch(pattern, f"{self.command} {path}"):
                with self.server.lock:
                    return method(self, **match.groupdict())
        self.fail(404, "EntryNotFound", f"no such address: {path}")

    # Answers

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def answer(self, content, status: int = 200, **headers) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(data), "Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def fail(self, status: int, code: str, message: str) -> None:
        self.answer({"error": message}, status, X_Error_Code=code, X_Error_Message=message)

    def may_write(self, repo: str) -> bool:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.fail(401, "", "Invalid credentials in Authorization header")
        elif not repo.startswith(f"{USER}/"):
            self.fail(403, "", f"You don't have the rights to write to {repo}")
        else:
            return True
        return False

    def find(self, kind: str | None, repo: str) -> Repo | None:
        found = self.server.repos.get(f"{kind or 'models'}/{repo}")
        if found is None or (found.private and self.headers.get("Authorization") != f"Bearer {TOKEN}"):
            self.fail(401 if "Authorization" not in self.headers else 404, "RepoNotFound", "Repository not found")
            return None
        return found

    # Addresses

    def create(self) -> None:
        wanted = json.loads(self.content)
        repo = f"{wanted['organization'] or USER}/{wanted['name']}"
        if not self.may_write(repo):
            return
        key = f"{wanted.get('type', 'model')}s/{repo}"
        url = f"{self.server.endpoint}/{repo if key.startswith('models') else key}"
        if key in self.server.repos:
            return self.answer({"error": "You already created this model repo", "url": url}, 409)
        self.server.repos[key] = Repo(private=wanted.get("visibility") == "private")
        self.answer({"url": url, "name": repo})

    def info(self, kind: str, repo: str, revision: str = "main") -> None:
        if found := self.find(kind, repo):
            if (oid := found.oid(revision)) is None:
                return self.fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            siblings = [{"rfilename": name} for name in found.at(oid)]
            self.answer({"id": repo, "sha": oid, "private": found.private, "siblings": siblings, "tags": []})

    def tree(self, kind: str, repo: str, revision: str, folder: str = "") -> None:
        recursive = parse_qs(urlsplit(self.path).query).get("recursive") == ["True"]
        if (entries := self.entries(kind, repo, revision)) is not None:
            below = {path: one for path, one in entries.items() if recursive or path.rpartition("/")[0] == folder}
            if folder and folder not in entries:
                return self.fail(404, "EntryNotFound", f"{folder} is not there")
            self.answer([one for path, one in below.items() if path.startswith(f"{folder}/" if folder else "")])

    def paths(self, kind: str, repo: str, revision: str) -> None:
        wanted = parse_qs(self.content.decode())["paths"]
        if (entries := self.entries(kind, repo, revision)) is not None:
            self.answer([entries[path] for path in wanted if path in entries])

    def entries(self, kind: str, repo: str, revision: str) -> dict[str, dict] | None:
        """Files and folders by their paths."""
        if (found := self.find(kind, repo)) is None:
            return None
        if (oid := found.oid(revision)) is None:
            return self.fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        files = found.at(oid)
        folders = {str(parent) for name in files for parent in PurePosixPath(name).parents} - {"."}
        return {name: {"type": "directory", "path": name, "oid": sha1(name.encode())} for name in sorted(folders)} | {
            name: {"type": "file", "path": name, "size": len(data), "oid": sha1(data)} for name, data in files.items()
        }

    def branch(self, kind: str, repo: str, branch: str) -> None:
        if self.may_write(repo) and (found := self.find(kind, repo)):
            if branch in found.branches:
                return self.fail(409, "", "Reference already exists")
            found.branches[branch] = list(found.branches["main"])
            self.answer({})

    def validate(self) -> None:
        self.answer({"errors": [], "warnings": []})

    def preupload(self, kind: str, repo: str, revision: str) -> None:
        wanted = json.loads(self.content)["files"]
        if self.may_write(repo) and (found := self.find(kind, repo)):
            if found.oid(revision) is None:
                return self.fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for file in wanted
            ]
            self.answer({"files": files})

    def batch(self, kind: str | None, repo: str) -> None:
        objects = json.loads(self.content)["objects"]
        if self.may_write(repo) and self.find(kind, repo):
            self.answer({"transfer": "basic", "objects": [self.batch_object(**wanted) for wanted in objects]})

    def batch_object(self, oid: str, size: int) -> dict:
        stored = sum(map(len, self.server.blobs.values()))
        if oid in self.server.blobs:
            return {"oid": oid, "size": size}
        if self.server.quota is not None and stored + size > self.server.quota:
            error = {"code": 403, "message": "Storage quota exceeded: upgrade your plan or delete files"}
            return {"oid": oid, "size": size, "error": error}
        return {"oid": oid, "size": size, "actions": {"upload": {"href": f"{self.server.endpoint}/blobs/{oid}"}}}

    def store(self, oid: str) -> None:
        if self.server.drop:
            self.server.drop -= 1
            self.rfile.read(1000)
            self.connection.close()
            self.close_connection = True
            return
        data = self.body()
        assert hashlib.sha256(data).hexdigest() == oid
        self.server.blobs[oid] = data
        self.answer({})

    def commit(self, kind: str, repo: str, revision: str) -> None:
        lines = [json.loads(line) for line in self.content.splitlines()]
        if self.server.refuse_commit:
            self.connection.close()
            self.close_connection = True
            return
        if self.may_write(repo) and (found := self.find(kind, repo)):
            if revision not in found.branches:
                return self.fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            files = dict(found.branches[revision][-1])
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    assert value["encoding"] == "base64"
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.server.blobs[value["oid"]]
                elif line["key"] == "deletedFile":
                    del files[value["path"]]
            found.branches[revision].append(files)
            oid = found.oid(revision)
            self.answer({"commitUrl": f"{self.server.endpoint}/{repo}/commit/{oid}", "commitOid": oid})

    def resolve(self, kind: str | None, repo: str, revision: str, name: str) -> None:
        if found := self.find(kind, repo):
            if (oid := found.oid(revision)) is None:
                return self.fail(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            files = found.at(oid)
            if name not in files:
                return self.fail(404, "EntryNotFound", f"{name} is not there")
            content, status = files[name], 200
            etag = hashlib.sha256(content).hexdigest()
            if part := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
                content, status = content[int(part[1]) : int(part[2]) + 1], 206
            self.answer(content, status, ETag=f'"{etag}"', X_Repo_Commit=oid)

    def whoami(self) -> None:
        self.answer({"type": "user", "name": USER, "orgs": [], "auth": {}})


def sha1(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


REVISION = r"(?P<revision>[^/]+|refs/[^/]+/[^/]+)"
ROUTES = [
    (r"POST /api/repos/create", Handler.create),
    (r"POST /api/validate-yaml", Handler.validate),
    (r"GET /api/whoami-v2", Handler.whoami),
    (rf"GET /api/{REPO}", Handler.info),
    (rf"GET /api/{REPO}/revision/{REVISION}", Handler.info),
    (rf"GET /api/{REPO}/tree/{REVISION}/?", Handler.tree),
    (rf"GET /api/{REPO}/tree/{REVISION}/(?P<folder>.+)", Handler.tree),
    (rf"POST /api/{REPO}/paths-info/{REVISION}", Handler.paths),
    (rf"POST /api/{REPO}/branch/(?P<branch>.+)", Handler.branch),
    (rf"POST /api/{REPO}/preupload/{REVISION}", Handler.preupload),
    (rf"POST /api/{REPO}/commit/{REVISION}", Handler.commit),
    (rf"POST /{REPO}\.git/info/lfs/objects/batch", Handler.batch),
    (r"PUT /blobs/(?P<oid>\w+)", Handler.store),
    (rf"(?:GET|HEAD) /{REPO}/resolve/{REVISION}/(?P<name>.+)", Handler.resolve),
]
