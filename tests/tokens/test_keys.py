"""Keys: every form of a secret, what is refused, and that no secret is ever shown."""

import copy
import hashlib
import logging
import pickle
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from helpers import (
    OTHER_SECRET,
    SECRET,
    authenticate,
    b64,
    bearer,
    claims,
    ec_pem,
    ed25519_pem,
    encrypted_pem,
    hs256,
    make_manager,
    parts,
    pem_of,
    private_pem,
    public_pem,
    rs256,
    rsa_pem,
    rsa_public_pem,
    unb64,
)
from pydantic import Secret, SecretBytes, SecretStr

from asgi_login import Key, LoginManager

HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
PASSWORD = b"correct horse battery staple"


def pem_for(algorithm):
    if algorithm in RSA:
        return rsa_pem()
    return {"ES256": ec_pem(), "ES384": ec_pem(ec.SECP384R1), "EdDSA": ed25519_pem()}[algorithm]


def round_trip(manager):
    token = manager.create_access_token(data={"sub": "ada"})
    return authenticate(manager, bearer(token)).user


class TestForms:
    @pytest.mark.parametrize("secret", [SECRET, SECRET.encode(), Key(SECRET), [SECRET], (Key(SECRET),)])
    def test_a_secret_is_a_str_bytes_a_key_or_a_sequence_of_these(self, secret):
        assert round_trip(make_manager(secret)) == "ada"

    @pytest.mark.parametrize("algorithm", [*HMAC, *RSA, "ES256", "ES384", "EdDSA"])
    def test_every_algorithm_signs_and_verifies(self, algorithm):
        secret = "s" + "3cr3t-" * 20 if algorithm in HMAC else pem_for(algorithm)
        manager = make_manager(secret, algorithm=algorithm)
        assert parts(manager.create_access_token(data={"sub": "ada"}))[0]["alg"] == algorithm
        assert round_trip(manager) == "ada"

    def test_an_ed448_key_signs_and_verifies_as_eddsa(self):
        assert round_trip(make_manager(private_pem(ed448.Ed448PrivateKey.generate()), algorithm="EdDSA")) == "ada"

    @pytest.mark.parametrize("secret", [rsa_pem(), rsa_pem().decode(), {"private_key": rsa_pem()}])
    def test_a_pem_is_str_bytes_or_the_private_key_of_a_dict(self, secret):
        assert round_trip(make_manager(secret, algorithm="RS256")) == "ada"

    def test_a_pkcs1_pem_is_read_too(self):
        key = Key(rsa_pem(), "RS256")._signing_key
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        assert pem.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
        assert Key(pem, "RS256").kid == Key(rsa_pem(), "RS256").kid

    def test_an_algorithm_of_the_manager_is_not_that_of_a_key(self):
        manager = make_manager([Key(ec_pem(), "ES256"), SECRET])
        assert parts(manager.create_access_token(data={"sub": "ada"}))[0]["alg"] == "ES256"
        assert authenticate(manager, bearer(hs256(header={"alg": "HS256", "kid": Key(SECRET).kid}))).user == "ada"

    @pytest.mark.parametrize("password", [PASSWORD, PASSWORD.decode()])
    def test_an_encrypted_pem_opens_with_its_password(self, password):
        encrypted = encrypted_pem(rsa_pem(), PASSWORD)
        manager = make_manager({"private_key": encrypted, "password": password}, algorithm="RS256")
        assert round_trip(manager) == "ada"
        assert Key(encrypted, "RS256", password=password).kid == Key(rsa_pem(), "RS256").kid

    def test_generated_keys_work_and_differ(self):
        for algorithm in ("HS256", "HS512", "RS256", "ES256", "ES384", "EdDSA"):
            key = Key.generate(algorithm, kid="mine")
            assert (key.algorithm, key.kid) == (algorithm, "mine")
            assert round_trip(make_manager(key)) == "ada"
        assert Key.generate().kid != Key.generate().kid

    @pytest.mark.parametrize("secret", [None, 12])
    def test_what_is_no_secret_is_refused_with_a_sentence_about_it(self, secret):
        with pytest.raises(TypeError, match="secret"):
            LoginManager(secret)

    @pytest.mark.parametrize("secret", [[None], [SECRET, 5], {"private_key": None}])
    def test_what_is_no_secret_among_others_is_refused(self, secret):
        with pytest.raises(TypeError, match="must be str or bytes"):
            LoginManager(secret, algorithm="HS256" if isinstance(secret, list) else "RS256")

    @pytest.mark.parametrize(
        "secret", [{}, {"password": "x"}, {"key": rsa_pem()}, {"private_key": rsa_pem(), "passwrod": "x"}]
    )
    def test_a_dict_of_other_keys_is_refused(self, secret):
        with pytest.raises(ValueError, match='"private_key" and, if it is encrypted, "password"'):
            LoginManager(secret, algorithm="RS256")

    def test_a_dict_for_an_hmac_algorithm_is_refused(self):
        with pytest.raises(ValueError, match='pass algorithm="RS256"'):
            LoginManager({"private_key": rsa_pem()})

    @pytest.mark.parametrize("secret", [[], ()])
    def test_no_key_at_all_is_refused(self, secret):
        with pytest.raises(ValueError, match="at least one key is needed"):
            LoginManager(secret)


class TestHidden:
    """What keeps a secret out of logs is taken wherever the secret is: pydantic's SecretStr, and what is like it."""

    class Own:
        def __init__(self, value):
            self.value = value

        def get_secret_value(self):
            return self.value

    @pytest.mark.parametrize(
        "hide", [SecretStr, lambda text: SecretBytes(text.encode()), Own], ids=["str", "bytes", "own"]
    )
    def test_a_hidden_secret_is_the_secret(self, hide):
        assert Key(hide(SECRET)).kid == Key(SECRET).kid
        for secret in (hide(SECRET), [hide(SECRET)], (hide(SECRET), OTHER_SECRET)):
            assert round_trip(make_manager(secret)) == "ada"

    @pytest.mark.parametrize(
        "hide", [SecretStr, lambda text: SecretBytes(text.encode()), Own], ids=["str", "bytes", "own"]
    )
    def test_a_hidden_pem_and_its_password_open(self, hide):
        pem = encrypted_pem(rsa_pem(), PASSWORD).decode()
        assert Key(hide(pem), "RS256", password=hide(PASSWORD.decode())).kid == Key(rsa_pem(), "RS256").kid
        manager = make_manager({"private_key": hide(pem), "password": hide(PASSWORD.decode())}, algorithm="RS256")
        assert round_trip(manager) == "ada"

    def test_a_dict_that_is_hidden_as_a_whole_opens(self):
        assert round_trip(make_manager(Secret({"private_key": rsa_pem()}), algorithm="RS256")) == "ada"

    @pytest.mark.parametrize("hidden", [SecretStr("short"), SecretStr("changeme" * 8), Secret(5), SecretStr])
    def test_a_hidden_secret_is_checked_and_not_shown(self, hidden):
        with pytest.raises((ValueError, TypeError)) as caught:
            LoginManager(hidden)
        assert "short" not in str(caught.value).split()
        assert "changeme" not in str(caught.value)


class TestRotation:
    def test_the_first_key_signs(self):
        manager = make_manager([Key(SECRET, kid="new"), Key(OTHER_SECRET, kid="old")])
        assert parts(manager.create_access_token(data={"sub": "ada"}))[0]["kid"] == "new"

    def test_tokens_of_the_old_key_hold_until_it_is_retired(self):
        old, new = Key(OTHER_SECRET), Key(SECRET)
        token = make_manager(old).create_access_token(data={"sub": "ada"})
        assert authenticate(make_manager([new, old]), bearer(token)).user == "ada"
        assert authenticate(make_manager([new]), bearer(token)).error.reason == "kid: no such key"

    def test_keys_of_several_algorithms_rotate(self):
        old, new = Key(rsa_pem(), "RS256", kid="rsa"), Key(ed25519_pem(), "EdDSA", kid="ed")
        manager = make_manager([new, old])
        for key in (old, new):
            token = make_manager(key).create_access_token(data={"sub": "ada"})
            assert authenticate(manager, bearer(token)).user == "ada"

    def test_a_key_verifies_only_what_names_it(self):
        manager = make_manager([Key(SECRET, kid="a"), Key(OTHER_SECRET, kid="b")])
        assert authenticate(manager, bearer(hs256(header={"alg": "HS256", "kid": "a"}))).user == "ada"
        wrong = hs256(header={"alg": "HS256", "kid": "b"})
        assert authenticate(manager, bearer(wrong)).error.reason == "wrong signature"

    def test_a_token_without_kid_is_checked_by_an_only_key(self):
        assert authenticate(make_manager(SECRET), bearer(hs256())).user == "ada"

    def test_a_token_without_kid_is_refused_where_there_are_several_keys(self):
        manager = make_manager([SECRET, OTHER_SECRET])
        assert authenticate(manager, bearer(hs256())).error.reason == "kid: no such key"

    def test_one_key_twice_is_refused(self):
        with pytest.raises(ValueError, match="listed twice"):
            make_manager([SECRET, SECRET])

    def test_two_keys_of_one_kid_are_refused(self):
        with pytest.raises(ValueError, match="same kid"):
            make_manager([Key(SECRET, kid="k"), Key(OTHER_SECRET, kid="k")])


class TestVerifyOnly:
    def manager(self, **settings):
        return make_manager(public_pem(rsa_pem()), algorithm="RS256", **({"audience": "api"} | settings))

    def test_a_public_key_verifies_what_the_private_one_signed(self):
        token = make_manager(rsa_pem(), algorithm="RS256", audience="api").create_access_token(data={"sub": "ada"})
        assert authenticate(self.manager(), bearer(token)).user == "ada"

    def test_a_public_key_issues_nothing_and_says_so(self):
        with pytest.raises(ValueError, match="only a public key and cannot issue tokens; pass the private key"):
            self.manager().create_access_token(data={"sub": "ada"})

    def test_a_public_key_that_stands_second_verifies(self):
        token = rs256(header={"alg": "RS256", "kid": Key(rsa_pem(), "RS256").kid})
        manager = make_manager([Key(SECRET), Key(public_pem(rsa_pem()), "RS256")], insecure_any_audience=True)
        assert authenticate(manager, bearer(token)).user == "ada"

    def test_private_and_public_half_have_one_kid(self):
        for algorithm in ("RS256", "ES256", "EdDSA"):
            pem = pem_for(algorithm)
            assert Key(pem, algorithm).kid == Key(public_pem(pem), algorithm).kid
            assert Key(pem, algorithm).can_sign
            assert not Key(public_pem(pem), algorithm).can_sign


class TestPasswords:
    def test_a_wrong_password_is_refused(self):
        with pytest.raises(ValueError, match="wrong password"):
            Key(encrypted_pem(rsa_pem(), PASSWORD), "RS256", password="wrong")

    @pytest.mark.parametrize("password", [None, ""])
    def test_a_missing_password_is_refused(self, password):
        with pytest.raises(ValueError, match="password"):
            Key(encrypted_pem(rsa_pem(), PASSWORD), "RS256", password=password)

    def test_a_missing_password_is_asked_for(self):
        with pytest.raises(ValueError, match="is encrypted: pass its password"):
            make_manager({"private_key": encrypted_pem(rsa_pem(), PASSWORD)}, algorithm="RS256")

    def test_a_superfluous_password_is_refused(self):
        with pytest.raises(ValueError, match="not encrypted: pass no password"):
            Key(rsa_pem(), "RS256", password=PASSWORD)

    def test_a_password_for_a_public_key_is_refused(self):
        with pytest.raises(ValueError, match="not encrypted: pass no password"):
            Key(public_pem(rsa_pem()), "RS256", password=PASSWORD)

    def test_a_password_for_a_secret_is_refused(self):
        with pytest.raises(ValueError, match="has no password"):
            Key(SECRET, password=PASSWORD)

    @pytest.mark.parametrize("password", [5, ["x"]])
    def test_a_password_of_another_type_is_refused(self, password):
        with pytest.raises(TypeError, match="password must be str or bytes"):
            Key(encrypted_pem(rsa_pem(), PASSWORD), "RS256", password=password)


class TestWeakSecrets:
    @pytest.mark.parametrize(("algorithm", "least"), HMAC.items())
    def test_a_secret_shorter_than_the_hash_is_refused(self, algorithm, least):
        secret = bytes(range(100, 100 + least))
        assert Key(secret, algorithm).algorithm == algorithm
        with pytest.raises(ValueError, match=rf"at least {least} bytes.*RFC 7518"):
            Key(secret[:-1], algorithm)

    @pytest.mark.parametrize("secret", ["", b"", "a", "secret", "changeme", "your-256-bit-secret"])
    def test_what_anybody_guesses_is_refused(self, secret):
        with pytest.raises(ValueError, match="at least 32 bytes"):
            LoginManager(secret)

    @pytest.mark.parametrize(
        "secret",
        [
            "a-string-secret-at-least-256-bits-long",
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
            "09D25E094FAA6CA2556C818166B7A9563B93F7099F6F0F4CAA6CF63B88E8D3E7",
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7\n",
            "your-256-bit-secret" * 2,
            "changeme" * 8,
            "secret" * 6,
        ],
    )
    def test_what_tutorials_print_is_refused_however_long(self, secret):
        with pytest.raises(ValueError, match="public documentation"):
            LoginManager(secret)

    def test_a_secret_with_a_public_one_inside_is_a_secret(self):
        assert Key("secret-9f8c2d7e6b5a4938271605f4e3d2c1b0").algorithm == "HS256"

    def test_a_str_that_utf8_cannot_encode_is_refused_without_quoting_it(self):
        with pytest.raises(ValueError, match="secret holds characters") as caught:
            Key("k" * 40 + "\ud800")
        assert "kkkk" not in str(caught.value)


class TestWeakKeys:
    @pytest.mark.parametrize("half", ["private", "public"])
    def test_an_rsa_key_below_2048_bits_is_refused(self, half):
        pem = rsa_pem(1024) if half == "private" else public_pem(rsa_pem(1024))
        with pytest.raises(ValueError, match="at least 2048 bits, this one has 1024"):
            Key(pem, "RS256")

    def test_the_hand_made_pem_is_one_that_is_read(self):
        numbers = Key(rsa_pem(), "RS256").public_key.public_numbers()
        assert Key(rsa_public_pem(numbers.n, numbers.e), "RS256").kid == Key(rsa_pem(), "RS256").kid

    @pytest.mark.parametrize("exponent", [1, 2, 4, 65536])
    def test_an_rsa_key_with_an_exponent_that_hides_nothing_is_refused(self, exponent):
        modulus = Key(rsa_pem(), "RS256").public_key.public_numbers().n
        with pytest.raises(ValueError, match=r"exponent|no PEM of a usable"):
            Key(rsa_public_pem(modulus, exponent), "RS256")

    def test_an_rsa_key_of_a_chip_with_the_roca_flaw_is_refused(self):
        # The primes of the detector that Nemec et al. published; keys of these chips are powers of 65537 modulo each.
        primes = (2, 3, 5, 7, 11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)
        product = 1
        for prime in primes:
            product *= prime
        modulus = ((1 << 2047) // product + 1) * product + pow(65537, 12345, product)
        assert modulus.bit_length() == 2048
        with pytest.raises(ValueError, match="ROCA"):
            Key(rsa_public_pem(modulus, 65537), "RS256")

    @pytest.mark.parametrize("half", [bytes, public_pem], ids=["private", "public"])
    @pytest.mark.parametrize(
        ("algorithm", "pem", "words"),
        [
            ("RS256", ec_pem(), "RS256 needs an RSA key, this is an EC key on secp256r1"),
            ("RS256", ed25519_pem(), "RS256 needs an RSA key, this is an Ed25519 key"),
            ("PS512", ec_pem(ec.SECP384R1), "PS512 needs an RSA key"),
            ("ES256", rsa_pem(), "ES256 needs an EC key on secp256r1, this is an RSA key"),
            ("ES256", ec_pem(ec.SECP384R1), "ES256 needs an EC key on secp256r1, this is an EC key on secp384r1"),
            ("ES256", ec_pem(ec.SECP256K1), "ES256 needs an EC key on secp256r1, this is an EC key on secp256k1"),
            ("ES384", ec_pem(), "ES384 needs an EC key on secp384r1"),
            ("EdDSA", rsa_pem(), "EdDSA needs an Ed25519 or Ed448 key, this is an RSA key"),
            ("EdDSA", ec_pem(), "EdDSA needs an Ed25519 or Ed448 key, this is an EC key on secp256r1"),
        ],
    )
    def test_a_key_of_another_kind_than_the_algorithm_is_refused(self, half, algorithm, pem, words):
        with pytest.raises(ValueError, match=words):
            LoginManager(half(pem), algorithm=algorithm, insecure_any_audience=True)

    @pytest.mark.parametrize("half", [bytes, public_pem], ids=["private", "public"])
    def test_a_key_that_signs_nothing_is_refused(self, half):
        with pytest.raises(ValueError, match="sign no JWT"):
            Key(half(private_pem(x25519.X25519PrivateKey.generate())), "EdDSA")

    @pytest.mark.parametrize(
        "pem",
        [
            SECRET,
            b"",
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            rsa_pem()[:-200],
        ],
        ids=["secret", "empty", "garbage", "public garbage", "truncated"],
    )
    @pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
    def test_what_is_no_pem_is_refused(self, pem, algorithm):
        with pytest.raises(ValueError, match="no PEM of a usable private or public key"):
            Key(pem, algorithm)

    def test_a_certificate_is_refused_with_the_command_that_extracts_its_key(self):
        with pytest.raises(ValueError, match="openssl x509 -pubkey -noout"):
            Key(pem_of("CERTIFICATE", bytes(64)), "RS256")

    @pytest.mark.parametrize(
        "algorithm", ["none", "None", "", "hs256", "HS256 ", "RS1", "ES512", "dir", None, "xRS256y"]
    )
    def test_an_algorithm_that_is_not_supported_is_refused(self, algorithm):
        for make in (Key, LoginManager):
            with pytest.raises(ValueError, match="is not supported; choose one of HS256"):
                make(SECRET, algorithm=algorithm)


class TestKid:
    @pytest.mark.parametrize("kid", ["", "x" * 129, "a\nb", "a\x7fb", "é", "\ud800", 5, b"bytes", ["a"]])
    def test_a_kid_is_visible_ascii_of_bounded_length(self, kid):
        with pytest.raises(ValueError, match="kid must be 1 to 128 visible ASCII characters"):
            Key(SECRET, kid=kid)

    @pytest.mark.parametrize("kid", ["a", "x" * 128, "2024-05 key/1"])
    def test_a_good_kid_stands_in_the_header(self, kid):
        token = make_manager(Key(SECRET, kid=kid)).create_access_token(data={"sub": "ada"})
        assert parts(token)[0]["kid"] == kid

    def test_the_default_kid_of_a_secret_is_stable_and_tells_nothing(self):
        key = Key(SECRET)
        assert key.kid == Key(SECRET.encode()).kid
        assert key.kid != Key(OTHER_SECRET).kid
        assert key.kid != Key(SECRET * 2, "HS512").kid
        assert len(unb64(key.kid)) == 16
        assert SECRET not in key.kid

    def test_the_default_kid_of_a_secret_depends_on_the_algorithm(self):
        assert len({Key(SECRET * 2, algorithm).kid for algorithm in HMAC}) == 3

    def test_the_thumbprint_of_the_rsa_example_is_that_of_rfc_7638_section_3_1(self):
        modulus = (
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n"
            "3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zg"
            "dAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFC"
            "ur-kEgU8awapJzKnqDKgw"
        )
        key = Key(rsa_public_pem(int.from_bytes(unb64(modulus), "big"), 65537), "RS256")
        assert key.kid == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"

    def test_the_thumbprint_of_the_ed25519_example_is_that_of_rfc_8037_appendix_a_3(self):
        raw = unb64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
        der = bytes.fromhex("302a300506032b6570032100") + raw
        assert Key(pem_of("PUBLIC KEY", der), "EdDSA").kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    def test_the_coordinates_of_an_ec_thumbprint_keep_their_leading_zeros(self):
        # RFC 7518 §6.2.1.2: a coordinate is always as long as the field; one key in 256 starts with a zero.
        while True:
            private = ec.generate_private_key(ec.SECP256R1())
            point = private.public_key().public_numbers()
            if point.x >> 248 == 0:
                break
        x, y = (b64(number.to_bytes(32, "big")) for number in (point.x, point.y))
        members = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
        assert Key(private_pem(private), "ES256").kid == b64(hashlib.sha256(members.encode()).digest())


KINDS = {
    "secret": (lambda: Key(SECRET), [SECRET]),
    "pem": (lambda: Key(rsa_pem(), "RS256"), rsa_pem().decode().splitlines()[1:3]),
    "encrypted": (
        lambda: Key(encrypted_pem(rsa_pem(), PASSWORD), "RS256", password=PASSWORD),
        [PASSWORD.decode(), *rsa_pem().decode().splitlines()[1:3]],
    ),
}


class TestSecrecy:
    @pytest.mark.parametrize("kind", KINDS)
    def test_no_text_of_a_key_shows_its_secret(self, kind, caplog):
        make, secrets = KINDS[kind]
        key = make()
        manager = make_manager(key)
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("test").warning("%r %s %s", key, key, manager)
        texts = [repr(key), str(key), f"{key}", repr(manager), str(manager), repr(manager.config), caplog.text]
        texts += [repr(manager.config.tokens), repr(manager.config.tokens.keys)]
        for text in texts:
            assert not any(secret in text for secret in secrets)

    def test_a_repr_shows_algorithm_and_kid(self):
        assert repr(Key(SECRET, kid="2024")) == "Key(algorithm='HS256', kid='2024')"

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_a_key_is_not_pickled(self, protocol):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(Key(SECRET), protocol)

    @pytest.mark.parametrize("what", [lambda m: m, lambda m: m.config, lambda m: m.config.tokens.keys])
    def test_nothing_that_holds_a_key_is_pickled(self, what):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(what(make_manager()))

    def test_copies_of_a_key_are_the_key(self):
        key = Key(SECRET)
        assert copy.copy(key) is key
        assert copy.deepcopy(key) is key
        assert copy.deepcopy({"key": [key]})["key"][0] is key

    def test_a_key_cannot_be_changed(self):
        key = Key(SECRET)
        for name in ("algorithm", "kid", "signing", "public", "something_else"):
            with pytest.raises(AttributeError, match="immutable"):
                setattr(key, name, "none")
        with pytest.raises(AttributeError, match="immutable"):
            del key.kid
        assert not hasattr(key, "__dict__")

    @pytest.mark.parametrize(
        ("arguments", "secrets"),
        [
            ((SECRET[:31],), [SECRET[:31]]),
            (("changeme" * 8,), ["changemechangeme"]),
            ((public_pem(rsa_pem()),), public_pem(rsa_pem()).decode().splitlines()[1:2]),
            ((encrypted_pem(rsa_pem(), PASSWORD), "RS256", "hunter2-hunter2"), ["hunter2-hunter2"]),
            ((rsa_pem(), "RS256", "hunter2-hunter2"), ["hunter2-hunter2", rsa_pem().decode().splitlines()[1]]),
            ((rsa_pem()[:-200], "RS256"), rsa_pem().decode().splitlines()[1:2]),
            ((SECRET, "RS256"), [SECRET]),
            ((SECRET + "\ud800",), [SECRET]),
        ],
        ids=["short", "public", "PEM as secret", "wrong password", "superfluous", "truncated", "no PEM", "surrogate"],
    )
    def test_no_refusal_shows_what_it_refuses(self, arguments, secrets):
        secret, algorithm, password = (*arguments, "HS256", None)[:3] if len(arguments) < 3 else arguments
        with pytest.raises(ValueError) as caught:
            Key(secret, algorithm, password=password)
        text = "".join(traceback.format_exception_only(caught.value)) + repr(caught.value)
        assert not any(one in text for one in secrets)
        # A cause or context would be printed below it, and those of OpenSSL quote their input.
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__


class TestParsedOnce:
    @pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
    def test_a_pem_is_never_parsed_after_construction(self, algorithm, monkeypatch):
        encrypted = encrypted_pem(pem_for(algorithm), PASSWORD)
        manager = make_manager({"private_key": encrypted, "password": PASSWORD}, algorithm=algorithm)
        for module in (
            "asgi_login.tokens.key_material",
            "jwt.algorithms",
            "cryptography.hazmat.primitives.serialization",
        ):
            for name in ("load_pem_private_key", "load_pem_public_key", "load_der_private_key", "load_der_public_key"):
                monkeypatch.setattr(f"{module}.{name}", _parsed_again, raising=False)
        for _ in range(2):
            assert round_trip(manager) == "ada"

    def test_a_token_of_the_same_claims_differs_each_time_by_its_jti(self):
        manager = make_manager()
        first, second = (parts(manager.create_access_token(data=claims()))[1] for _ in range(2))
        assert first["jti"] != second["jti"]


def _parsed_again(*args, **kwargs):
    raise AssertionError("a PEM was parsed again")


class TestOtherPurposes:
    @pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES256"])
    def test_a_token_of_a_derived_key_is_no_login_and_a_login_no_token_of_it(self, algorithm):
        key = Key(SECRET if algorithm == "HS256" else pem_for(algorithm), algorithm)
        logins, resets = make_manager(key), make_manager(Key(key.derive("password-reset")), name="password-reset")
        for issuer, other in ((logins, resets), (resets, logins)):
            token = issuer.create_access_token(data={"sub": "ada"})
            assert authenticate(issuer, bearer(token)).user == "ada"
            assert authenticate(other, bearer(token)).error.error == "invalid_token"

    def test_an_audience_separates_tokens_of_one_key(self):
        logins, resets = make_manager(), make_manager(audience="password-reset")
        for issuer, other in ((logins, resets), (resets, logins)):
            token = issuer.create_access_token(data={"sub": "ada"})
            assert authenticate(issuer, bearer(token)).user == "ada"
            assert authenticate(other, bearer(token)).error.error == "invalid_token"

    def test_a_label_and_a_key_always_derive_the_same_secret_and_others_another(self):
        one, other = Key(SECRET), Key(OTHER_SECRET)
        assert one.derive("a") == Key(SECRET).derive("a")
        assert len({SECRET.encode(), one.derive("a"), one.derive("b"), other.derive("a")}) == 4
        assert len(one.derive("a")) == 32

    @pytest.mark.parametrize("label", ["", None, b"password-reset", 5])
    def test_a_label_says_what_the_secret_is_for(self, label):
        with pytest.raises(TypeError, match="what the secret is for"):
            Key(SECRET).derive(label)
