"""Runs what the documents show.

The word after the language of a fenced block says what is done with it:

    python             a complete file: executed, in a namespace of its own
    python continued   executed in the namespace of the block before it on the page
    python fragment    a part that is shown alone: compiled only
    python signature   in reference/api.md: compared with the source
    pycon              a doctest, in the namespace of the block before it on the page
    console            commands after "$ " with their output, run by bash in a folder with the page's complete files
                       whose first line is a name like "# app.py", while app.py is served at each port that they ask,
                       with a Redis at hand if it needs one; "..." stands for any text
    sh                 commands for the reader to run, which install and start things: not run here

Any other language is not code of ours.
"""

import ast
import builtins
import collections.abc
import doctest
import inspect
import os
import re
import secrets
import shutil
import subprocess
import sys
import textwrap
import tomllib
import types
import typing
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.functional import empty
from stores.servers import PROGRAMS, Server

import asgi_login
import asgi_login.django
import asgi_login.events
import asgi_login.fastapi
import asgi_login.issuers
import asgi_login.litestar
import asgi_login.mcp
import asgi_login.oauth
import asgi_login.quart
import asgi_login.reasons
import asgi_login.redis
import asgi_login.starlette
import asgi_login.testing

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
API = ROOT / "docs" / "reference" / "api.md"
KINDS = {"python", "python continued", "python fragment", "python signature", "pycon", "console", "sh"}
OTHER_LANGUAGES = {"", "text", "json", "http", "html", "js", "toml", "yaml", "dockerfile", "nginx", "mermaid"}
SECRET = secrets.token_urlsafe(48)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def compile(self) -> types.CodeType:
        # The empty lines make tracebacks point into the page.
        source = "\n" * self.line + self.text
        return compile(source, str(self.page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def blocks(page: Path) -> list[Block]:
    found = re.finditer(r"^( *)```([^`\n]*)\n(.*?)^\1```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [
        Block(page, page.read_text()[: match.start()].count("\n") + 1, match[2].strip(), textwrap.dedent(match[3]))
        for match in found
    ]


BLOCKS = [block for page in PAGES for block in blocks(page)]
RUN = ("python", "python continued", "pycon")
PAGES_THAT_RUN = [page for page in PAGES if any(block.kind in RUN for block in blocks(page))]
PAGES_WITH_COMMANDS = [page for page in PAGES if any(block.kind == "console" for block in blocks(page))]


def test_the_readmes_application_names_the_secret_that_is_missing(monkeypatch):
    monkeypatch.delenv("SECRET", raising=False)
    application = next(block for block in blocks(ROOT / "README.md") if "LoginManager[str](" in block.text)
    with pytest.raises(ValueError, match="the environment variable set that it comes from, like SECRET"):
        exec(compile(application.text, "README.md", "exec"), {})  # noqa: S102 - what a reader runs


def of_pages(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


def test_every_code_block_says_what_is_done_with_it():
    unknown = [block.where for block in BLOCKS if block.kind not in KINDS | OTHER_LANGUAGES]
    assert unknown == []


def test_every_python_block_compiles():
    compiled = [block.compile() for block in BLOCKS if block.kind.startswith("python")]
    assert len(compiled) > 20


@pytest.fixture
def unconfigured(page):
    """Let a page configure Django, whose settings are the process's.

    Other pages keep those that another test has configured: Django's database cannot be asked for without any.
    """
    if not any("settings.configure(" in block.text for block in blocks(page)):
        yield
        return
    before, settings._wrapped = settings._wrapped, empty
    yield
    settings._wrapped = before


@of_pages(PAGES_THAT_RUN)
@pytest.mark.usefixtures("unconfigured")
def test_the_python_of_a_page_runs_and_prints_what_the_page_says(page, monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    namespace: dict[str, object] = {}
    for block in blocks(page):
        if block.kind == "python":
            # A module that can be found: Litestar looks there for what annotations mean.
            module = types.ModuleType("documented")
            monkeypatch.setitem(sys.modules, module.__name__, module)
            namespace = vars(module)
        if block.kind in {"python", "python continued"}:
            exec(block.compile(), namespace)  # noqa: S102 - what the reader is told to run
        elif block.kind == "pycon":
            check_doctest(block, namespace)


def check_doctest(block: Block, namespace: dict[str, object]) -> None:
    parser = doctest.DocTestParser()
    test = parser.get_doctest(block.text, namespace, block.where, str(block.page), block.line)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
    report: list[str] = []
    results = runner.run(test, out=report.append, clear_globs=False)
    assert results.attempted
    assert results.failed == 0, "".join(report)
    namespace.update(test.globs)


class Site:
    """A page's application, served, and its commands, run in one bash so that they share their variables."""

    MARK = "\n--- next command ---\n"

    def __init__(self, page: Path, folder: Path, stack: ExitStack, added: str = "") -> None:
        self.page = page
        self.folder = folder
        self.stack = stack
        self.environment = environment()
        files = [block.text for block in blocks(page) if block.kind == "python"]
        for text in files:
            if named := re.match(r"# (\w+\.py)\n", text):
                (folder / named[1]).write_text(text.replace("RedisStore(", PATIENT_STORE))
        with (folder / "app.py").open("a") as file:
            file.write(added)
        if needs_redis(page):
            self.environment["STORE"] = self._start_redis()
        asked = {port for command, _ in commands(page) for port in re.findall(r"127\.0\.0\.1:(80\d\d)", command)}
        served = [sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--no-access-log"]
        self.servers = {f"127.0.0.1:{port}": self._start(served) for port in asked}

    def _start_redis(self) -> str:
        redis = Server("redis", self.folder / "redis")
        self.stack.callback(redis.kill)
        return redis.start().url

    def _start(self, command: list[str]) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        process = subprocess.Popen(  # noqa: S603 - what the reader is told to run
            command, cwd=self.folder, env=self.environment, stdout=pipe, stderr=pipe, text=True
        )
        return self.stack.enter_context(process)

    def listen(self) -> dict[str, str]:
        """Wait until the servers say where they listen, and return that for each address of the page."""
        return {address: self._listens(server) for address, server in self.servers.items()}

    def _listens(self, server: "subprocess.Popen[str]") -> str:
        log = []
        for line in server.stderr:
            log.append(line)
            if found := re.search(r"running on http://(127\.0\.0\.1:[0-9]+)", line):
                return found[1]
        raise AssertionError("".join(log))

    def run_commands(self) -> None:
        """Start the commands as soon as the servers listen."""
        self.addresses = self.listen()
        script = f"printf '%s' '{self.MARK}'\n".join(f"{command}\n" for command, _ in commands(self.page))
        for shown, have in self.addresses.items():
            script = script.replace(shown, have)
        self.bash = self._start(["bash", "-c", script])

    def printed(self) -> list[str]:
        """Return what each command prints."""
        output, errors = self.bash.communicate(timeout=60)
        assert self.bash.returncode == 0, errors
        for shown, have in self.addresses.items():
            output = output.replace(have, shown)
        return output.split(self.MARK)

    def stop(self) -> None:
        """Stop the servers."""
        for server in self.servers.values():
            server.terminate()


# Where much else runs, 250 milliseconds, the default, can be too short.
PATIENT_STORE = "RedisStore(timeout=__import__('datetime').timedelta(seconds=9), url_or_client="


def needs_redis(page: Path) -> bool:
    return any("RedisStore(" in block.text for block in blocks(page) if block.text.startswith("# app.py\n"))


def environment() -> dict[str, str]:
    # `python` in the documents is the one of the reader's environment, and here of the tests'.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ours = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "SECRET": SECRET, "no_proxy": "*"}
    return {**os.environ, **ours}


@pytest.fixture(scope="module")
def sites(tmp_path_factory) -> Iterator[dict[Path, Site]]:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("the commands in the documents need bash and curl")
    with ExitStack() as stack:
        # All at once: most of their time is spent in importing frameworks.
        pages = [page for page in PAGES_WITH_COMMANDS if PROGRAMS["redis"] or not needs_redis(page)]
        served = {page: Site(page, tmp_path_factory.mktemp("page"), stack) for page in pages}
        try:
            for site in served.values():
                site.run_commands()
            yield served
        finally:
            for site in served.values():
                site.stop()


@of_pages(PAGES_WITH_COMMANDS)
def test_the_commands_of_a_page_print_what_the_page_says(page, sites):
    if page not in sites:
        pytest.skip("the commands of this page need redis-server")
    for (command, output), printed in zip(commands(page), sites[page].printed(), strict=True):
        shown, have = comparable(output), comparable(printed)
        assert matches(shown, have), f"$ {command}\n{have}\n\nbut the page says:\n{shown}"


def commands(page: Path) -> list[tuple[str, str]]:
    """Return each command of a page with the output that the page shows."""
    texts = [block.text for block in blocks(page) if block.kind == "console"]
    parts = [part.partition("\n") for text in texts for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]
    return [(command, output) for command, _, output in parts]


def comparable(output: str) -> str:
    """Drop trailing spaces and empty lines at the end, in which bash and Markdown differ."""
    return "\n".join(line.rstrip() for line in output.splitlines()).strip()


def matches(shown: str, printed: str) -> bool:
    """Compare, but for what differs each time: the date, and what the page leaves out with "..."."""
    shown = re.sub(r"^date: .* GMT$", "date: ...", shown, flags=re.MULTILINE)
    return re.fullmatch(".*?".join(map(re.escape, shown.split("..."))), printed, re.DOTALL) is not None


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def without_code(page: Path) -> str:
    text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]+`", lambda match: match[0].strip("`").replace("[", "").replace("]", ""), text)


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the file and the anchor of each link within the project."""
    found = re.findall(r"\[[^\]]+\]\(([^)\s]+)\)", without_code(page))
    parts = [target.partition("#") for target in found if not target.startswith(("http://", "https://"))]
    return [((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in parts]


@of_pages(PAGES)
def test_every_link_within_the_project_leads_somewhere(page):
    broken = [
        f"{target}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert broken == []


def test_every_page_can_be_reached_from_the_readme():
    reached: set[Path] = set()
    ahead = {ROOT / "README.md"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        ahead |= {target for target, _ in links(page) if target.suffix == ".md"} - reached
    assert set(PAGES) - reached == set()


@of_pages(PAGES)
def test_no_page_names_a_path_of_a_machine(page):
    assert re.findall(r"(?<![\w.])/(?:home|Users|root|tmp|work|workspace|opt|usr|var)/\S*", page.read_text()) == []


def test_every_make_command_in_the_pages_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)}
    assert named <= targets
    assert named >= {"demo", "test"}


def test_the_readme_names_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    readme = (ROOT / "README.md").read_text().replace("\n", " ")
    (named,) = re.findall(r"asgi-login itself depends on (.*?), and on no framework\.", readme)
    needed = {re.match(r"[\w-]+", requirement)[0] for requirement in project["dependencies"]}
    assert set(re.split(r", | and ", named.lower())) == needed


# What is imported by its own name.
MODULES = {
    "starlette": asgi_login.starlette,
    "fastapi": asgi_login.fastapi,
    "quart": asgi_login.quart,
    "litestar": asgi_login.litestar,
    "django": asgi_login.django,
    "mcp": asgi_login.mcp,
    "oauth": asgi_login.oauth,
    "redis": asgi_login.redis,
    "issuers": asgi_login.issuers,
    "testing": asgi_login.testing,
}
# What does not know where it is defined.
ALIASES = {"EventKind": asgi_login.events, "Reason": asgi_login.reasons}
# Without an underscore because other modules of ours, or type checkers, look at them.
NOT_PROMISED = {
    "starlette": {"answer_auth_error"},
    "django.LoginMiddleware": {"async_capable", "process_exception", "sync_capable"},
    "litestar.LoginPlugin": {"on_app_init", "receive_route"},
    "BearerTransport": {"read"},
    "CookieTransport": {"companion", "is_dropped_by", "openapi_scheme", "read"},
    "HeaderTransport": {"openapi_scheme"},
    "Key": {"jwk", "thumbprint", "sign", "verify", "public_key"},
    "LoginManager": {"config"},
    "MemoryStore": {"open"},
    "oauth.Endpoint": {"among", "config", "cookie_name", "describe"},
    "oauth.KeysEndpoint": {"describe"},
    "oauth.RefreshCookie": {"check_endpoint", "check_request", "read", "warn_if_dropped"},
    "oauth.RevocationEndpoint": {"cookie_name", "describe"},
    "oauth.ServerMetadata": {"among"},
    "oauth.TokenEndpoint": {"cookie_name", "describe"},
    "redis.RedisStore": {"open"},
    "issuers.Issuer": {"find", "learn", "rules"},
    "Device": {"from_json", "to_json"},
}


# What a class is made of, and not what it is to its user.
INTERNAL_BASES = {
    *(
        "ABC",
        "AuthFacts",
        "ForeignKeys",
        "InHand[UserT]",
        "LoggingIn[UserT]",
        "RequestHandler",
        "SetOnce",
        "FixedAttributes",
        "NotADependency",
        "Issuing",
        "Loading[UserT]",
        "Revoking",
    )
}


def own_names(name: str, module: types.ModuleType) -> set[str]:
    """Return what a module defines itself, without an underscore."""
    if hasattr(module, "__path__"):
        return set(module.__all__)
    tree = ast.parse(Path(module.__file__).read_text())
    return {defined for defined in members(tree) if not defined.startswith("_")} - NOT_PROMISED.get(name, set())


def members(tree: ast.Module | ast.ClassDef) -> dict[str, list[str]]:
    """Return what is defined directly in a module or class: for each name what stands there, without its body."""
    found: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [ast.Pass()]
            found.setdefault(node.name, []).append(ast.unparse(node))
        elif isinstance(node, ast.ClassDef):
            found.setdefault(node.name, []).append(ast.unparse(node))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).append(ast.unparse(node))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(ast.unparse(node))
    return found


def resolve(name: str) -> object:
    module, _, inner = name.rpartition(".")
    return getattr(MODULES[module] if module else asgi_login, inner, None)


def sections() -> dict[str, Block]:
    """Return the signature below each heading of the reference that is a name."""
    signatures = [block for block in blocks(API) if block.kind == "python signature"]
    headings = re.finditer(r"^### (.+)$", API.read_text(), re.MULTILINE)
    lines = {match[1]: API.read_text()[: match.start()].count("\n") + 1 for match in headings}
    return {name: next(block for block in signatures if block.line > line) for name, line in lines.items()}


def definitions(name: str) -> list[ast.stmt]:
    """Return where the source defines a name; overloads and the function itself all count."""
    module, _, inner = name.rpartition(".")
    is_package = not module or hasattr(MODULES[module], "__path__")
    if name in ALIASES:
        file = ALIASES[name].__file__
    else:
        file = inspect.getfile(resolve(name)) if is_package else MODULES[module].__file__
    tree = ast.parse(Path(file).read_text())
    assigned = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)]
    shown = Constants({node.targets[0].id: node.value for node in assigned})
    return [shown.visit(node) for node in tree.body if inner in members(ast.Module([node], []))]


def inherited(name: str) -> dict[str, list[str]]:
    """Return what a class has from the classes of ours that it is made of."""
    ours = [base for base in resolve(name).__mro__[1:] if base.__module__.startswith("asgi_login")]
    return {member: found for base in ours for member, found in members(source_of(base)).items()}


def source_of(cls: type) -> ast.ClassDef:
    """Return the source of a class, which lies beside the compiled module where there is one."""
    file = Path(asgi_login.__file__).parent.parent.joinpath(*cls.__module__.split(".")).with_suffix(".py")
    return next(
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__
    )


class Constants(ast.NodeTransformer):
    """Puts the values of a module's constants in the place of their names, which mean nothing to a reader."""

    def __init__(self, values: dict[str, ast.Constant]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.values.get(node.id, node) if isinstance(node.ctx, ast.Load) else node


def test_the_reference_names_exactly_what_is_public():
    promised = set(asgi_login.__all__)
    promised |= {f"{name}.{own}" for name, module in MODULES.items() for own in own_names(name, module)}
    assert sections().keys() == promised


@pytest.mark.parametrize("name", sections())
def test_the_reference_shows_each_signature_as_it_is(name):
    for shown in ast.parse(sections()[name].text).body:
        if isinstance(shown, ast.ClassDef):
            (source,) = definitions(name)
            bases = [base for base in map(ast.unparse, source.bases) if base not in INTERNAL_BASES]
            assert list(map(ast.unparse, shown.bases)) == bases
            assert list(map(ast.unparse, shown.decorator_list)) in ([], list(map(ast.unparse, source.decorator_list)))
            there = inherited(name) | members(source)
            for member, signatures in members(shown).items():
                assert set(signatures) <= set(there.get(member, ()))
        elif isinstance(shown, ast.AnnAssign):
            (source,) = definitions(name)
            assert ast.unparse(shown.annotation) == ast.unparse(source.annotation)
        else:
            shown.body = [ast.Pass()]
            assert ast.unparse(shown) in members(ast.Module(definitions(name), []))[shown.name]


@pytest.mark.parametrize("name", [name for name in sections() if inspect.isclass(resolve(name))])
def test_the_reference_leaves_out_no_public_member(name):
    (source,) = definitions(name)
    (shown,) = ast.parse(sections()[name].text).body
    public = {member for member in members(source) if not member.startswith("_")}
    assert public - members(shown).keys() == NOT_PROMISED.get(name, set())


# Python's own, and what readers of a framework's page know from it.
WELL_KNOWN = {*vars(builtins), *typing.__all__, *vars(collections.abc), "timedelta", "KW_ONLY", "P", "R"}
WELL_KNOWN |= {"FastAPI", "HTTPConnection", "HTTPException", "SecurityScopes", "Starlette", "Quart", "WebSocket"}
WELL_KNOWN |= {"AccessToken", "InitPlugin", "ReceiveRoutePlugin", "httpx"}


def test_every_type_in_a_signature_is_public_well_known_or_explained():
    table = API.read_text().partition("## Types in the signatures")[2]
    explained = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    used = {
        node.id
        for block in sections().values()
        for statement in ast.walk(ast.parse(block.text))
        for annotation in annotations(statement)
        for node in ast.walk(annotation)
        if isinstance(node, ast.Name)
    }
    assert used - WELL_KNOWN - set(asgi_login.__all__) == explained


def annotations(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.ClassDef):
        return node.bases
    found = [getattr(node, "annotation", None), getattr(node, "returns", None)]
    return [annotation for annotation in found if annotation is not None]
