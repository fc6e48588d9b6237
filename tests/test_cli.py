"""The command line: what it writes where, its exit codes, and what it never shows."""

import getpass
import io
import json
import os
import pty
import re
import stat
import subprocess
import sys
from base64 import b64decode
from datetime import timedelta
from importlib.metadata import version

import pytest
from helpers import (
    NOW,
    OTHER_SECRET,
    SECRET,
    Clock,
    b64,
    claims,
    ec_pem,
    ed25519_pem,
    encrypted_pem,
    hs256,
    public_pem,
    rs256,
    rsa_pem,
    run,
)

from asgi_login import CookieTransport, Key, LoginManager
from asgi_login.cli import main
from asgi_login.oauth import KeysEndpoint
from asgi_login.tokens import SESSION

PASSWORD = "open sesame, please"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", SECRET)
    return tmp_path


@pytest.fixture
def typed(monkeypatch):
    """Answer what is asked at the terminal, in this order."""

    def answer(*answers):
        left = list(answers)
        monkeypatch.setattr(getpass, "getpass", lambda prompt: left.pop(0))
        return left

    return answer


@pytest.fixture
def command(capsys, monkeypatch):
    """Run a command and return its exit code, standard output and standard error."""

    def run_command(*args, stdin=b"", now=NOW):
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        stream = io.TextIOWrapper(io.BytesIO(stdin)) if isinstance(stdin, bytes) else stdin
        monkeypatch.setattr(sys, "stdin", stream)
        code = main(args, clock=Clock(now))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run_command


def process(*args, stdin=b"", **settings):
    """Run the command in a process of its own that has no terminal."""
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-W", "error", "-m", "asgi_login", *args],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        start_new_session=True,
        **settings,
    )


def shell(command):
    """Run a command of the shell, in which `"$0"` is Python; return its exit code and what it says."""
    done = subprocess.run(  # noqa: S603 - our own code
        ["/bin/sh", "-c", command, sys.executable],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def is_sentence(text):
    return text.startswith("asgi-login: ") and text.count("\n") == 1


def manager(secret=SECRET, **settings):
    made = LoginManager(secret, clock=Clock(NOW), **settings)
    made.user_loader(lambda sub: sub)
    return made


def auth_of(token, made):
    # The loader is a plain function: one that runs on a thread would need an event loop.
    async def load(sub):
        return sub

    made.user_loader(load)
    return run(made.authenticate_token(token.strip()))


class TestSecret:
    def test_it_is_fit_for_a_manager_and_new_each_time(self, command):
        code, first, err = command("secret")
        _, second, _ = command("secret")
        assert (code, err, first.count("\n")) == (0, "", 1)
        assert first != second
        LoginManager(Key(first.strip(), "HS512"))


class TestKeygen:
    @pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
    def test_the_key_is_one_for_the_algorithm_and_its_kid_is_said(self, command, here, algorithm):
        code, out, _ = command("keygen", "key.pem", "--algorithm", algorithm, "--no-password")
        key = Key((here / "key.pem").read_bytes(), algorithm)
        assert code == 0
        assert key.can_sign
        assert key.kid in out

    def test_what_it_says_to_write_in_the_application_loads_the_key(self, command, here, monkeypatch):
        (here / "password").write_text(PASSWORD + "\n")
        monkeypatch.setenv("KEY_PASSWORD", PASSWORD)
        _, out, _ = command("keygen", 'a "key".pem', "--password-file", "password", "--public")
        written = re.findall(r"Key\(.*\)$", out, re.MULTILINE)
        private, public = (eval(one, {"Key": Key, "Path": type(here), "os": os}) for one in written)  # noqa: S307
        assert (private.can_sign, public.can_sign) == (True, False)
        assert private.kid == public.kid

    def test_only_the_owner_can_read_the_private_key_whatever_the_umask(self, command, here):
        before = os.umask(0)
        try:
            command("keygen", "key.pem", "--no-password", "--public")
        finally:
            os.umask(before)
        assert stat.S_IMODE((here / "key.pem").stat().st_mode) == 0o600
        assert stat.S_IMODE((here / "key.pub.pem").stat().st_mode) == 0o644

    def test_an_existing_file_is_refused_and_left_as_it_is(self, command, here, typed):
        left = typed(PASSWORD, PASSWORD)
        (here / "key.pem").write_text("precious")
        code, out, err = command("keygen", "key.pem")
        assert (code, out) == (2, "")
        assert is_sentence(err)
        assert "key.pem exists already" in err
        assert (here / "key.pem").read_text() == "precious"
        # It is said before anybody has typed a password twice.
        assert len(left) == 2

    def test_an_existing_public_key_is_refused_and_left_as_it_is(self, command, here):
        (here / "key.pub.pem").write_text("precious")
        code, _, err = command("keygen", "key.pem", "--public", "--no-password")
        assert (code, is_sentence(err)) == (2, True)
        assert (here / "key.pub.pem").read_text() == "precious"
        assert not (here / "key.pem").exists()

    def test_a_link_is_not_followed(self, command, here):
        (here / "key.pem").symlink_to("elsewhere.pem")
        code, _, err = command("keygen", "key.pem", "--no-password")
        assert (code, is_sentence(err)) == (2, True)
        assert not (here / "elsewhere.pem").exists()

    def test_a_file_that_appears_while_the_password_is_typed_is_left_as_it_is(self, command, here, monkeypatch):
        def answer(prompt):
            (here / "key.pub.pem").write_text("precious")
            return PASSWORD

        monkeypatch.setattr(getpass, "getpass", answer)
        code, _, err = command("keygen", "key.pem", "--public")
        assert (code, is_sentence(err)) == (2, True)
        assert (here / "key.pub.pem").read_text() == "precious"
        assert not (here / "key.pem").exists()

    def test_the_password_is_asked_for_twice_and_encrypts_the_key(self, command, here, typed):
        typed(PASSWORD, PASSWORD)
        code, out, err = command("keygen", "key.pem")
        pem = (here / "key.pem").read_bytes()
        assert code == 0
        assert PASSWORD not in out + err
        assert Key(pem, "ES256", password=PASSWORD).can_sign
        with pytest.raises(ValueError, match="encrypted"):
            Key(pem, "ES256")

    def test_the_encryption_is_aes_256_by_pbes2(self, command, here, typed):
        typed(PASSWORD, PASSWORD)
        command("keygen", "key.pem")
        der = b64decode("".join((here / "key.pem").read_text().splitlines()[1:-1]))
        # RFC 8018 appendix A.4 and B.2.5: the object identifiers.
        assert bytes.fromhex("06092a864886f70d01050d") in der
        assert bytes.fromhex("060960864801650304012a") in der

    @pytest.mark.parametrize(("answers", "why"), [((PASSWORD, "another"), "differ"), (("",), "empty")])
    def test_passwords_that_differ_or_are_empty_make_no_key(self, command, here, typed, answers, why):
        typed(*answers)
        code, _, err = command("keygen", "key.pem")
        assert (code, is_sentence(err)) == (2, True)
        assert why in err
        assert list(here.iterdir()) == []

    def test_an_empty_password_file_makes_no_key(self, command, here):
        (here / "password").write_text("\n")
        code, _, err = command("keygen", "key.pem", "--password-file", "password")
        assert (code, is_sentence(err)) == (2, True)
        assert not (here / "key.pem").exists()

    def test_without_a_terminal_no_password_is_read_from_elsewhere(self, here):
        done = process("keygen", "key.pem", stdin=f"{PASSWORD}\n{PASSWORD}\n".encode())
        assert done.returncode == 2
        assert b"no terminal" in done.stderr
        assert list(here.iterdir()) == []

    def test_a_folder_that_does_not_exist_is_a_sentence(self, command):
        code, _, err = command("keygen", "nowhere/key.pem", "--no-password")
        assert (code, is_sentence(err)) == (2, True)


class TestToken:
    def test_the_token_alone_is_on_standard_output(self, command):
        code, out, err = command("token", "ada", "--key-env", "SECRET")
        assert code == 0
        assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", out)
        assert out.strip() not in err
        assert "ada" in err

    def test_the_application_accepts_it_with_all_that_was_asked_for(self, command):
        given = ["--issuer", "https://login.example.com", "--audience", "shop", "--expires", "8h"]
        given += ["--scope", "orders:read", "--scope", "orders:write", "--claim", "name=Zoë=x", "--claim", "level:=3"]
        _, out, _ = command("token", "ada", "--key-env", "SECRET", *given)
        auth = auth_of(out, manager(issuer="https://login.example.com", audience="shop"))
        assert (auth.user, auth.scopes) == ("ada", {"orders:read", "orders:write"})
        assert (auth.claims["name"], auth.claims["level"]) == ("Zoë=x", 3)
        assert auth.expires_at == NOW + 8 * 3600

    def test_the_key_may_be_in_a_file_whose_last_line_is_ended(self, command, here):
        (here / "secret").write_text(SECRET + "\n")
        _, out, _ = command("token", "ada", "--key-file", "secret")
        assert auth_of(out, manager()).user == "ada"

    def test_without_a_key_one_is_asked_for(self, command, typed):
        typed(SECRET)
        code, out, err = command("token", "ada")
        assert code == 0
        assert auth_of(out, manager()).user == "ada"
        assert SECRET not in out + err

    @pytest.mark.parametrize(("pem", "algorithm"), [(rsa_pem, "RS256"), (ec_pem, "ES256"), (ed25519_pem, "EdDSA")])
    def test_a_pem_signs_by_the_algorithm_of_its_kind(self, command, here, pem, algorithm):
        (here / "key.pem").write_bytes(pem())
        _, out, _ = command("token", "ada", "--key-file", "key.pem")
        assert auth_of(out, manager(Key(pem(), algorithm))).user == "ada"

    def test_another_algorithm_and_kid_can_be_named(self, command, monkeypatch):
        monkeypatch.setenv("KEY", rsa_pem().decode())
        _, out, _ = command("token", "ada", "--key-env", "KEY", "--algorithm", "PS256", "--kid", "2026-11")
        assert auth_of(out, manager(Key(rsa_pem(), "PS256", kid="2026-11"))).user == "ada"

    def test_the_password_of_an_encrypted_key_is_asked_for_or_read(self, command, here, typed):
        (here / "key.pem").write_bytes(encrypted_pem(ec_pem(), PASSWORD.encode()))
        (here / "password").write_text(PASSWORD)
        assert command("token", "ada", "--key-file", "key.pem", "--password-file", "password")[0] == 0
        typed(PASSWORD)
        assert command("token", "ada", "--key-file", "key.pem")[0] == 0

    def test_a_wrong_password_is_a_no(self, command, here, typed):
        (here / "key.pem").write_bytes(encrypted_pem(ec_pem(), PASSWORD.encode()))
        typed("another")
        code, out, err = command("token", "ada", "--key-file", "key.pem")
        assert (code, out, is_sentence(err)) == (1, "", True)
        assert "another" not in err

    def test_a_public_key_is_a_no(self, command, here):
        (here / "key.pem").write_bytes(public_pem(ec_pem()))
        code, out, err = command("token", "ada", "--key-file", "key.pem")
        assert (code, out, is_sentence(err)) == (1, "", True)
        assert "public key" in err

    def test_a_weak_secret_is_a_no_that_does_not_show_it(self, command, monkeypatch):
        monkeypatch.setenv("SECRET", "hunter2")
        code, out, err = command("token", "ada", "--key-env", "SECRET")
        assert (code, out, is_sentence(err)) == (1, "", True)
        assert "hunter2" not in err

    @pytest.mark.parametrize(
        "given",
        [
            ["--key", SECRET],
            ["--key-env", SECRET],
            [f"--key={SECRET}"],
            ["--key-en", SECRET],
            ["--password", SECRET],
            [SECRET],
            [f"--key-prompt={SECRET}"],
        ],
    )
    def test_a_key_as_an_argument_is_refused_and_not_repeated(self, command, given):
        code, out, err = command("token", "ada", *given)
        assert (code, out, is_sentence(err)) == (2, "", True)
        assert SECRET not in err

    def test_a_key_after_the_user_is_told_where_a_key_comes_from(self, command):
        code, out, err = command("token", "ada", SECRET)
        assert (code, out, is_sentence(err)) == (2, "", True)
        assert "--key-env" in err

    @pytest.mark.parametrize(
        "given",
        [
            ["--key-env", "NOT_SET"],
            ["--key-file", "no-such-file"],
            ["--key-file", "."],
            ["--expires", "soon"],
            ["--expires", "0m"],
            ["--expires", "-5m"],
            ["--claim", "no-value"],
            ["--claim", "level:=three"],
            ["--claim", "level:=NaN"],
            ["--claim", "exp:=1"],
            ["--claim", "scope=a"],
            ["--claim", "cnf:={}"],
            ["--scope", 'a"b'],
            ["--issuer", ""],
            ["--key-env", "SECRET", "--key-file", "x"],
        ],
    )
    def test_what_cannot_be_done_is_a_sentence(self, command, given):
        source = [] if "--key-env" in given or "--key-file" in given else ["--key-env", "SECRET"]
        code, out, err = command("token", "ada", *source, *given)
        assert (code, out, is_sentence(err)) == (2, "", True)

    def test_a_name_that_is_no_sub_is_a_sentence(self, command):
        code, out, err = command("token", "", "--key-env", "SECRET")
        assert (code, out, is_sentence(err)) == (2, "", True)

    def test_a_file_that_never_ends_is_a_sentence(self, command):
        code, out, err = command("token", "ada", "--key-file", "/dev/zero")
        assert (code, out, is_sentence(err)) == (2, "", True)


class TestInspect:
    def test_a_valid_token_with_its_key(self, command):
        token = manager().create_access_token(data={"sub": "ada"}, scopes=["read"])
        code, out, err = command("inspect", "--key-env", "SECRET", stdin=token + "\n", now=NOW + 50)
        assert (code, err) == (0, "")
        assert out.splitlines()[-1].startswith("valid: an access token")
        assert '"ada"' in out
        assert "2023-11-14 22:28:20 UTC, expires in 14 minutes" in out
        assert "issued 50 seconds ago" in out

    @pytest.mark.parametrize(
        ("later", "words"),
        [
            (900, "expired less than a second ago"),
            (901, "expired 1 second ago"),
            (900 + 7200, "expired 2 hours ago"),
            (900 + 3 * 86400, "expired 3 days ago"),
            (900 + 800 * 86400, "expired 2 years ago"),
        ],
    )
    def test_an_expired_token_says_since_when(self, command, later, words):
        token = manager().create_access_token(data={"sub": "ada"})
        code, out, _ = command("inspect", "--key-env", "SECRET", stdin=token, now=NOW + later)
        assert code == 1
        assert words in out
        assert out.endswith("not valid: expired: exp: expired\n")

    @pytest.mark.parametrize(
        "token",
        [
            hs256(claims(), secret=OTHER_SECRET),
            hs256(claims(), {"kid": "another"}),
            hs256(claims(exp=NOW - 1)),
            hs256(claims(nbf=NOW + 10)),
            hs256(claims(iat=NOW + 10)),
            hs256(claims(sub=7)),
            hs256(claims(scope=["a b"])),
            hs256(claims(), {"alg": "none"}),
            hs256(claims(), {"crit": ["b64"]}),
            hs256(claims(), {"typ": "secevent+jwt"}),
            rs256(claims()),
        ],
    )
    def test_the_reason_is_that_of_the_library(self, command, token):
        code, out, _ = command("inspect", "--key-env", "SECRET", stdin=token)
        assert (code, out.splitlines()[-1]) == (1, f"not valid: {auth_of(token, manager()).error.log_text}")

    def test_a_wrong_signature_is_a_no(self, command):
        code, out, _ = command("inspect", "--key-env", "SECRET", stdin=hs256(claims(), secret=OTHER_SECRET))
        assert (code, out.splitlines()[-1]) == (1, "not valid: wrong_signature: wrong signature")

    def test_without_a_key_it_is_not_called_valid(self, command):
        code, out, _ = command("inspect", stdin=hs256(claims(), secret=OTHER_SECRET))
        assert code == 0
        assert "\nvalid" not in out
        assert "not verified" in out

    @pytest.mark.parametrize(
        ("token", "reason"),
        [
            (hs256(claims(exp=NOW)), "exp: expired"),
            (hs256(claims(), {"jku": "https://evil.example"}), "header with"),
            (hs256(claims(sub="")), "sub: "),
        ],
    )
    def test_without_a_key_what_no_key_could_mend_is_a_no(self, command, token, reason):
        code, out, _ = command("inspect", stdin=token)
        assert code == 1
        assert re.search(f"not valid: [a-z_]+: {re.escape(reason)}", out)

    @pytest.mark.parametrize(("pem", "algorithm"), [(rsa_pem, "RS256"), (ec_pem, "ES256"), (ed25519_pem, "EdDSA")])
    def test_the_key_may_be_a_public_one(self, command, here, pem, algorithm):
        (here / "public.pem").write_bytes(public_pem(pem()))
        token = manager(Key(pem(), algorithm)).create_access_token(data={"sub": "ada"})
        assert command("inspect", "--key-file", "public.pem", stdin=token)[0] == 0

    def test_the_keys_may_be_a_set(self, command, here):
        keys = [Key(ec_pem(), "ES256"), Key(rsa_pem(), "PS256")]
        odd = {"kty": "oct", "k": b64(SECRET), "kid": "odd"}
        (here / "jwks.json").write_text(json.dumps({"keys": [*(dict(key.jwk) for key in keys), odd]}))
        for key in keys:
            token = manager(key).create_access_token(data={"sub": "ada"})
            code, out, err = command("inspect", "--jwks", "jwks.json", stdin=token)
            assert (code, key.kid in out.splitlines()[-1]) == (0, True)
            assert "left out: key 2: a secret" in err
        code, out, _ = command("inspect", "--jwks", "jwks.json", stdin=hs256(claims(), {"kid": "odd"}))
        assert (code, "not valid: unknown_key: kid: no such key" in out) == (1, True)

    @pytest.mark.parametrize("changes", [{"nonce": "n"}, {"at_hash": "h"}, {"aud": "shop", "azp": "shop"}])
    def test_by_a_set_an_id_token_is_refused_as_the_application_refuses_it(self, command, here, changes):
        key = Key(rsa_pem(), "RS256", kid="k")
        (here / "jwks.json").write_text(json.dumps({"keys": [dict(key.jwk)]}))
        token = rs256(claims(**changes), {"alg": "RS256", "typ": "JWT", "kid": "k"})
        code, out, _ = command("inspect", "--jwks", "jwks.json", stdin=token)
        assert code == 1
        assert re.fullmatch("not valid: wrong_type: .* ID token", out.splitlines()[-1])

    @pytest.mark.parametrize("content", ["", "[]", "{", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "AA"}]}'])
    def test_a_set_without_a_usable_key_is_a_no(self, command, here, content):
        (here / "jwks.json").write_text(content)
        code, out, err = command("inspect", "--jwks", "jwks.json", stdin=hs256(claims()))
        assert (code, out, is_sentence(err)) == (1, "", True)

    @pytest.mark.parametrize("given", [["--kid", "a"], ["--password-file", "password"], ["--algorithm", "HS256"]])
    def test_what_is_for_one_key_does_not_go_with_a_set(self, command, given):
        code, out, err = command("inspect", "--jwks", "jwks.json", *given, stdin=hs256(claims()))
        assert (code, out, is_sentence(err)) == (2, "", True)

    def test_issuer_and_audience_are_checked_where_they_are_named(self, command):
        token = manager(issuer="https://a.example", audience="shop").create_access_token(data={"sub": "ada"})
        assert command("inspect", "--key-env", "SECRET", "--audience", "shop", stdin=token)[0] == 0
        code, out, _ = command("inspect", "--key-env", "SECRET", "--audience", "other", stdin=token)
        assert (code, "not valid: wrong_audience: aud: another audience" in out) == (1, True)
        code, out, _ = command("inspect", "--key-env", "SECRET", "--issuer", "https://b.example", stdin=token)
        assert (code, "not valid: wrong_issuer: iss: another issuer" in out) == (1, True)
        code, out, _ = command("inspect", "--key-env", "SECRET", stdin=token)
        assert (code, "not checked: whether aud" in out) == (0, True)

    def test_a_session_is_called_one_and_not_an_access_token(self, command):
        made = manager(transports=[CookieTransport()])
        data = {"sub": "ada", "exp": NOW + 60, "sid": "s", "mgr": "default", "auth_time": NOW}
        token, _ = made.config.tokens.issue(SESSION, data, now=NOW)
        code, out, _ = command("inspect", "--key-env", "SECRET", stdin=token)
        assert code == 0
        assert "valid: a session" in out
        assert "logged in" in out
        assert "not checked: what only the application knows" in out

    def test_neither_the_key_nor_the_signature_nor_the_token_is_shown(self, command):
        token = manager().create_access_token(data={"sub": "ada"})
        code, out, err = command("inspect", "--key-env", "SECRET", stdin=token)
        assert code == 0
        for hidden in (SECRET, token, *token.split(".")):
            assert hidden not in out + err

    def test_a_key_in_the_header_is_not_shown(self, command):
        key = {"kty": "oct", "k": "c2VjcmV0LW9mLXRoZS1zZW5kZXI"}
        _, out, err = command("inspect", stdin=hs256(claims(cnf={"jwk": key}), {"jwk": key}))
        assert key["k"] not in out + err

    @pytest.mark.parametrize("given", [["--kid", "a"], ["--password-file", "password"], ["--algorithm", "RS256"]])
    def test_what_says_something_of_a_key_needs_one(self, command, given):
        code, out, err = command("inspect", *given, stdin=hs256(claims()))
        assert (code, out, is_sentence(err)) == (2, "", True)
        assert "--key-env" in err

    @pytest.mark.parametrize("args", [[], ["-"]])
    def test_nothing_on_standard_input_is_a_sentence(self, command, args):
        code, out, err = command("inspect", *args, stdin=" \n")
        assert (code, out, is_sentence(err)) == (2, "", True)

    def test_a_token_as_an_argument_is_refused_and_not_repeated(self, command):
        token = hs256(claims())
        code, out, err = command("inspect", token)
        assert (code, out, is_sentence(err)) == (2, "", True)
        assert token not in err

    def test_at_a_terminal_the_token_is_asked_for(self, command, typed):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        typed(manager().create_access_token(data={"sub": "ada"}))
        code, out, _ = command("inspect", "--key-env", "SECRET", stdin=Terminal())
        assert (code, "valid: an access token" in out) == (0, True)

    def test_a_terminal_does_not_show_what_is_typed(self):
        token = LoginManager(SECRET).create_access_token(data={"sub": "ada"})
        # Who leads a session and opens a terminal is controlled by it, and that is the one that getpass asks on.
        start = "import os, sys; os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.executable, sys.argv[1:])"
        command = [sys.executable, "-m", "asgi_login", "inspect", "--key-prompt"]
        ours, theirs = pty.openpty()
        with subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", start, *command], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        ) as asked:
            os.close(theirs)
            shown = read_until(ours, b"Secret: ")
            os.write(ours, f"{SECRET}\n".encode())
            shown += read_until(ours, b"Token: ")
            os.write(ours, f"{token}\n".encode())
            shown += read_until(ours, b"valid: an access token")
            shown += read_until(ours, None)
            assert asked.wait(timeout=60) == 0
        os.close(ours)
        assert SECRET.encode() not in shown
        assert token.encode() not in shown


def read_until(terminal, text):
    """Return what a terminal shows until it shows this, or until nobody writes to it."""
    shown = b""
    while text is None or text not in shown:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            part = b""
        if not part:
            assert text is None, shown
            return shown
        shown += part
    return shown


def unsigned(payload, header=b'{"alg":"HS256","typ":"JWT"}'):
    return f"{b64(header)}.{b64(payload)}.{b64('signature')}"


HOSTILE = {
    "too long": "a" * 16_385,
    "far too long": "a." * 10_000_000,
    "too long and well formed": unsigned(json.dumps({"sub": "a" * 20_000})),
    "no token": "hello",
    "binary": bytes(range(256)),
    "no base64url": "a+b.c/d.e=f",
    "not canonical": "ab.ab.ab",
    "an encrypted token": "a.b.c.d.e",
    "no JSON": unsigned(b"hello"),
    "no object": unsigned(b'["sub"]'),
    "no UTF-8": unsigned(b'{"sub":"\xff"}'),
    "a lone surrogate": unsigned(rb'{"sub":"\ud800"}'),
    "a member twice": unsigned(b'{"sub":"a","sub":"b"}'),
    "no number": unsigned(b'{"sub":"a","exp":NaN}'),
    "an endless number": unsigned(b'{"sub":"a","exp":1e999}'),
    "a number of many digits": unsigned(b'{"sub":"a","exp":' + b"9" * 8_000 + b"}"),
    "nested too deeply": unsigned(b'{"sub":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
    "nested": unsigned(b'{"sub":{"a":[{"b":[1,[2]]}]},"exp":[]}'),
    "a time beyond all calendars": unsigned(b'{"sub":"a","exp":999999999999999}'),
    "a time before all": unsigned(b'{"sub":"a","exp":-5,"iat":true,"nbf":"soon"}'),
    "a long header": unsigned(b"{}", json.dumps({"x": "a" * 2_000}).encode()),
    "a header that is no object": unsigned(b"{}", b"7"),
}


class TestHostile:
    @pytest.mark.parametrize("token", HOSTILE.values(), ids=HOSTILE)
    @pytest.mark.parametrize("key", [[], ["--key-env", "SECRET"]], ids=["without a key", "with a key"])
    def test_a_hostile_token_is_a_no_in_a_sentence(self, command, token, key):
        code, out, err = command("inspect", *key, stdin=token)
        assert (code, err) == (1, "")
        assert re.fullmatch(r"not valid: [a-z_]+: .{5,100}", out.splitlines()[-1])

    @pytest.mark.parametrize("character", ["\x1b", "\x07", "\x7f", "\x9b", "\u202e", "\u2066", "\u2028", "\r", "\n"])
    def test_no_claim_can_control_the_terminal(self, command, character):
        evil = f"a{character}[2Jb"
        token = hs256(claims(**{evil: {evil: [evil]}, "sub": evil}), {"kid": evil})
        _, out, err = command("inspect", stdin=token)
        assert character not in (out + err).replace("\n", "") if character != "\n" else evil not in out
        assert all(line.isprintable() for line in out.splitlines())

    def test_what_the_stream_cannot_show_is_escaped(self):
        token = hs256(claims(name="Zoë"))
        done = process("inspect", stdin=token.encode(), env={**os.environ, "PYTHONIOENCODING": "ascii"})
        assert rb'"Zo\xeb"' in done.stdout
        assert done.stderr == b""


class TestJwks:
    def test_it_is_what_the_endpoint_of_the_manager_publishes(self, command, here):
        keys = [Key(ec_pem(), "ES256"), Key(rsa_pem(), "RS256"), Key(ed25519_pem(), "EdDSA")]
        (here / "a.pem").write_bytes(ec_pem())
        (here / "b.pem").write_bytes(public_pem(rsa_pem()))
        (here / "c.pem").write_bytes(ed25519_pem())
        code, out, err = command("jwks", "a.pem", "b.pem", "c.pem")
        assert (code, err) == (0, "")
        assert json.loads(out) == {"keys": [dict(key.jwk) for key in keys]}
        KeysEndpoint(LoginManager(keys))

    def test_nothing_private_is_in_it(self, command, here):
        (here / "key.pem").write_bytes(rsa_pem())
        _, out, _ = command("jwks", "key.pem")
        (jwk,) = json.loads(out)["keys"]
        assert jwk.keys() == {"kty", "n", "e", "alg", "use", "kid"}

    def test_an_encrypted_key_needs_its_password(self, command, here, typed):
        (here / "key.pem").write_bytes(encrypted_pem(ec_pem(), PASSWORD.encode()))
        typed(PASSWORD)
        assert command("jwks", "key.pem")[0] == 0

    def test_a_secret_is_refused(self, command, here):
        (here / "secret").write_text(SECRET)
        code, out, err = command("jwks", "secret")
        assert (code, out, is_sentence(err)) == (1, "", True)
        assert "never published" in err
        assert SECRET not in err

    def test_a_key_that_is_named_twice_is_refused(self, command, here):
        (here / "key.pem").write_bytes(ec_pem())
        (here / "public.pem").write_bytes(public_pem(ec_pem()))
        code, out, err = command("jwks", "key.pem", "public.pem")
        assert (code, out, is_sentence(err)) == (1, "", True)

    def test_an_algorithm_that_the_key_is_not_for_is_refused(self, command, here):
        (here / "key.pem").write_bytes(ec_pem())
        code, out, err = command("jwks", "key.pem", "--algorithm", "RS256")
        assert (code, out, is_sentence(err)) == (1, "", True)


class TestProcess:
    @pytest.mark.parametrize("args", [[], ["no-such-command"], ["keygen"], ["jwks"], ["token"], ["secret", "more"]])
    def test_wrong_usage_is_a_sentence_and_2(self, args):
        done = process(*args)
        assert (done.returncode, done.stdout) == (2, b"")
        assert is_sentence(done.stderr.decode())

    @pytest.mark.parametrize("name", ["secret", "keygen", "token", "inspect", "jwks"])
    def test_each_command_has_a_help(self, name, capsys):
        with pytest.raises(SystemExit) as exited:
            main([name, "--help"])
        assert exited.value.code == 0
        assert f"usage: asgi-login {name}" in capsys.readouterr().out

    @pytest.mark.parametrize("name", ["keygen", "token", "inspect", "jwks"])
    def test_the_help_says_why_a_key_is_no_argument(self, name, capsys):
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert "other users see arguments in ps" in " ".join(capsys.readouterr().out.split())

    def test_a_token_goes_from_one_command_to_the_next(self):
        minted = process("token", "ada", "--key-env", "SECRET")
        assert minted.returncode == 0
        inspected = process("inspect", "-", "--key-env", "SECRET", stdin=minted.stdout)
        assert inspected.returncode == 0
        assert b"valid: an access token" in inspected.stdout
        forged = minted.stdout.replace(b"\n", b"AAAA\n")
        assert process("inspect", "--key-env", "SECRET", stdin=forged).returncode == 1

    def test_a_reader_that_goes_away_is_no_traceback(self):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as gone:
            done = subprocess.run(
                [sys.executable, "-m", "asgi_login", "secret"],
                stdout=gone,
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )
        assert (done.returncode, done.stderr) == (2, b"")

    def test_an_output_that_is_full_is_a_sentence(self):
        with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
            done = subprocess.run(
                [sys.executable, "-m", "asgi_login", "secret"],
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )
        assert (done.returncode, is_sentence(done.stderr.decode())) == (2, True)

    @pytest.mark.parametrize("closed", ["<&-", "0>written"])
    @pytest.mark.parametrize("args", ["", "-"])
    def test_an_input_that_cannot_be_read_is_a_sentence(self, closed, args):
        code, out, err = shell(f'"$0" -m asgi_login inspect {args} {closed}')
        assert (code, out, is_sentence(err)) == (2, "", True)
        assert "standard input" in err

    def test_an_output_that_is_closed_is_a_sentence(self):
        code, _, err = shell('"$0" -m asgi_login secret >&-')
        assert (code, is_sentence(err)) == (2, True)
        assert "standard output" in err

    def test_remarks_that_nobody_reads_do_not_get_into_the_result(self):
        code, out, _ = shell('"$0" -m asgi_login token ada --key-env SECRET 2>&-')
        assert code == 0
        assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", out)

    def test_it_says_its_version(self, capsys):
        with pytest.raises(SystemExit) as exited:
            main(["--version"])
        assert exited.value.code == 0
        assert capsys.readouterr().out == f"asgi-login {version('asgi-login')}\n"

    def test_an_interrupt_is_no_traceback(self, command, monkeypatch):
        def interrupted(prompt):
            raise KeyboardInterrupt

        monkeypatch.setattr(getpass, "getpass", interrupted)
        code, out, err = command("keygen", "key.pem")
        assert (code, out, err) == (130, "", "\n")

    def test_the_library_does_not_import_it(self):
        code = "import asgi_login, sys; print([name for name in sys.modules if name.startswith('asgi_login.cli')])"
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout == "[]\n"


def test_a_token_lives_a_quarter_of_an_hour_as_a_managers_do(command):
    _, out, _ = command("token", "ada", "--key-env", "SECRET")
    assert auth_of(out, manager()).expires_at == NOW + timedelta(minutes=15).total_seconds()


class TestSlips:
    """What happens to whoever passes a secret where a name belongs, or meets a terminal's limits."""

    @pytest.mark.parametrize("option", ["--key-file", "--password-file", "--algorithm"])
    def test_a_secret_in_place_of_a_name_is_not_repeated(self, command, here, option):
        (here / "key.pem").write_bytes(rsa_pem())
        more = [] if option == "--key-file" else ["--key-file", "key.pem"]
        code, out, err = command("token", "ada", *more, option, OTHER_SECRET)
        assert (code, out) == (2, "")
        assert option in err
        assert OTHER_SECRET not in err

    def test_a_password_that_openssl_cannot_take_is_a_sentence(self, command, here):
        (here / "password").write_text("x" * 1_024)
        code, _, err = command("keygen", "key.pem", "--password-file", "password")
        assert (code, "1,023 bytes" in err, (here / "key.pem").exists()) == (2, True, False)

    def test_a_name_of_a_file_cannot_control_the_terminal_that_asks(self, command, here, monkeypatch):
        asked = []

        def getpass_(prompt):
            asked.append(prompt)
            return PASSWORD

        monkeypatch.setattr(getpass, "getpass", getpass_)
        name = "\x1b]0;pwned\x07.pem"
        (here / name).write_bytes(encrypted_pem(rsa_pem(), PASSWORD.encode()))
        command("jwks", name)
        assert len(asked) == 1
        assert asked[0].isprintable()

    def test_what_a_terminal_cuts_off_is_not_called_malformed(self, command, typed, monkeypatch):
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        typed("a" * 4_095)
        code, _, err = command("token", "ada", "--key-prompt")
        assert (code, "use a pipe" in err) == (2, True)

    def test_what_is_typed_and_no_text_is_a_sentence(self, command, monkeypatch):
        def getpass_(prompt):
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

        monkeypatch.setattr(getpass, "getpass", getpass_)
        code, _, err = command("token", "ada", "--key-prompt")
        assert (code, "not text in UTF-8" in err) == (2, True)

    def test_a_key_deep_in_a_claim_is_not_shown(self, command):
        token = hs256(claims(act={"cnf": {"jwk": {"k": "very-secret"}}, "list": [{"x5c": ["very-secret"]}]}))
        _, out, _ = command("inspect", stdin=token)
        assert out.count("(a key, which is not shown)") == 2
        assert "very-secret" not in out
