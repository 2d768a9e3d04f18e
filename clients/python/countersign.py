"""Asks people before software does something privileged: the caller's side of Countersign, in one file.

    client = Client("https://countersign.example.com", "cs_key_...")

    @client.guarded("refund", resource=lambda args: {"type": "order", "id": args["order"]}, actor={"type": "agent", "id": "support"})
    def refund(order, amount_cents): ...

    refund(order="o-81", amount_cents=1900)     # asks, waits, redeems, runs exactly what was approved, once; else raises NotRun

Python 3.9 or newer and its standard library. Where the package `cryptography` is installed, signatures by the published
keys (`v1a`, grants) are verified too; without it, asking for that is an error and never a yes.
"""

import base64
import binascii
import functools
import hashlib
import hmac
import http.client
import inspect
import json
import random
import re
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:  # Then nothing that needs it verifies.
    Ed25519PublicKey = None

__all__ = ["Client", "ClientError", "NotRun", "action_digest", "canonical_json", "verify_grant", "verify_outcome"]


class ClientError(Exception):
    """A fault. `code` is stable: unreachable, refused, unexpected_answer, digest_mismatch, already_redeemed, invalid_action,
    invalid_options, invalid_signature, stale_message, malformed_message, invalid_grant, grant_expired, action_mismatch.
    `problem` is what the service answered (RFC 9457), where it did; its `code` is the problem's name."""

    def __init__(self, code, message, status=None, problem=None):
        super().__init__(message)
        self.code, self.status, self.problem = code, status, problem

    @property
    def refusal(self):
        """The name of the service's refusal, or None."""
        return self.problem.get("code") if self.problem else None


class NotRun(Exception):
    """The action did not run, and that is an answer. `kind`: denied, expired, cancelled, revoked or timed_out."""

    def __init__(self, kind, request, reason=None):
        super().__init__(kind if reason is None else f"{kind}: {reason}")
        self.kind, self.request, self.reason = kind, request, reason
        outcome = request.get("outcome") or {}
        self.decisions = outcome.get("decisions", [])
        #: What whoever denied said of asking again: never, changed (the reason says how) or later; else None.
        self.ask_again = outcome.get("ask_again")
        #: Whether asking again makes sense at all, where that was said; else None.
        self.try_again = None if self.ask_again is None else self.ask_again != "never"


class Client:
    """A caller's side of the service. Every method raises ClientError."""

    def __init__(self, url, api_key, *, jwks=None, issuer=None, sleep=time.sleep):
        """`jwks`: pinned keys; a grant that none of them signed does not run (needs `cryptography`)."""
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ClientError("invalid_options", "url is no http or https URL")
        if not re.fullmatch(r"[\x21-\x7e]+", api_key):
            raise ClientError("invalid_options", "api_key is empty or holds a character that no key has")
        if jwks is not None and Ed25519PublicKey is None:
            raise ClientError("invalid_options", "pinned keys need the package cryptography")
        self.url, self._api_key = url.rstrip("/"), api_key
        self._jwks, self._issuer, self._sleep = jwks, issuer or self.url, sleep

    def submit(self, action, *, key=None, idempotency_key=None, **extras):
        """Asks. `action` is {action, resource, parameters?, actor, environment?}; extras are reason, context, purpose, callback,
        grant_audience, grant_jkt, timeout_seconds. `key` is your own name of this attempt: who asks again under it joins the request that is there."""
        frozen, digest = _freeze(action)
        unknown = set(extras) - {"reason", "context", "purpose", "callback", "grant_audience", "grant_jkt", "timeout_seconds"}
        if unknown:
            raise ClientError("invalid_options", f"unknown: {', '.join(sorted(unknown))}")
        if idempotency_key is None:
            named = "countersign idempotency key\n" + (key or "")
            idempotency_key = str(uuid.uuid4()) if key is None else "guard-" + hashlib.sha256(_utf8(named)).hexdigest()
        body = {**json.loads(frozen), **{name: value for name, value in extras.items() if value is not None}}
        request = _request(self._call("POST", "/v1/action-requests", body, {"Idempotency-Key": idempotency_key}))
        if request["action_digest"] != digest:
            raise ClientError("digest_mismatch", "the answer is about another action than the one that was sent")
        return request

    def wait(self, request_id, timeout_seconds=None, on_pending=None):
        """The request once it is settled, or as it stands when the time is over. Survives restarts of the service."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while True:
            asked = time.monotonic()
            left = 50 if until is None else max(0, until - asked)
            hold = int(min(50, left))
            patience = None if until is None else max(left, 5)
            request = _same(request_id, self._call("GET", f"{_path(request_id)}?wait={hold}", timeout=hold + 15, patience=patience))
            if request["status"] != "pending" or (until is not None and time.monotonic() >= until):
                return request
            if on_pending is not None:
                on_pending(request)
            early = 1 - (time.monotonic() - asked)
            if early > 0:
                self._sleep(early if until is None else max(0, min(early, until - time.monotonic())))

    def get(self, request_id):
        return _same(request_id, self._call("GET", _path(request_id)))

    def cancel(self, request_id):
        return _same(request_id, self._call("POST", _path(request_id) + "/cancel"))

    def revoke(self, request_id):
        return _same(request_id, self._call("POST", _path(request_id) + "/revoke"))

    def grant(self, request_id):
        """A fresh grant, while the approval lasts and nothing was redeemed."""
        answer = self._call("POST", _path(request_id) + "/grant")
        if not isinstance(answer, dict) or not isinstance(answer.get("grant"), str):
            raise ClientError("unexpected_answer", "what answered is not a grant")
        return answer["grant"]

    def redeem(self, grant, action, *, dpop=None):
        """Spends a grant with the action exactly as it will run; `dpop` is the proof that a grant bound to a key needs (RFC 9449)."""
        frozen, digest = _freeze(action)
        answer = self._call("POST", "/v1/grants/redeem", {"grant": grant, "action": json.loads(frozen)}, headers=None if dpop is None else {"DPoP": dpop})
        if not isinstance(answer, dict) or not all(isinstance(answer.get(name), str) for name in ("grant_id", "action_request", "action_digest")):
            raise ClientError("unexpected_answer", "what answered is not a redemption")
        if answer["action_digest"] != digest:
            raise ClientError("digest_mismatch", "the redemption is of another action than the one at hand")
        return answer

    def report(self, request_id, result, *, result_digest=None, detail=None):
        """Tells what came of the run: `succeeded` or `failed`."""
        members = {"result": result, "result_digest": result_digest, "detail": detail}
        self._call("POST", _path(request_id) + "/report", {name: value for name, value in members.items() if value is not None})

    def jwks(self):
        """The published keys. Fetch them once and pin them."""
        return self._call("GET", "/.well-known/jwks.json")

    def guard(self, action, run, *, timeout_seconds=None, on_submitted=None, on_pending=None, cancel_on_interrupt=True, **options):
        """Asks, waits, redeems, and calls `run` with a copy of the action, once; reports; returns what `run` returns.
        Raises NotRun when the answer is no. Ctrl-C takes the request back. Options as in `submit`."""
        frozen, digest = _freeze(action)
        asked = self.submit(json.loads(frozen), **options)
        try:
            if on_submitted is not None:
                on_submitted(asked)
            settled = self.wait(asked["id"], timeout_seconds, on_pending)
        except KeyboardInterrupt:
            if cancel_on_interrupt:
                self._withdraw(asked["id"])
            raise
        if settled["request_digest"] != asked["request_digest"]:
            raise ClientError("digest_mismatch", "the outcome is of another request than the one that was opened")
        return self._run(settled, frozen, digest, run)

    def run_approved(self, request_id, action, run):
        """The second half of guard, for those who were told by callback."""
        frozen, digest = _freeze(action)
        return self._run(self.get(request_id), frozen, digest, run)

    def guarded(self, action, *, resource, actor, environment=None, reason=None, key=None, **options):
        """A decorator: the function runs only as approved. Its arguments, by name, are the action's `parameters`; `resource`, `actor`,
        `reason` and `key` may be functions of them. The function gets a copy of the approved arguments, whatever became of the originals."""

        def decorate(function):
            signature = inspect.signature(function)

            @functools.wraps(function)
            def asking(*args, **kwargs):
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                variable = [name for name, parameter in signature.parameters.items() if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY)]
                if variable:
                    raise ClientError("invalid_action", f"{function.__name__} takes {', '.join(variable)}: name each parameter, so that it can be shown and bound")
                parameters = dict(bound.arguments)
                of = lambda value: value(parameters) if callable(value) else value  # noqa: E731
                members = {"action": action, "resource": of(resource), "parameters": parameters, "actor": of(actor), "environment": of(environment)}
                return self.guard(members, lambda frozen: function(**frozen["parameters"]), reason=of(reason), key=of(key), **options)

            return asking

        return decorate

    def _run(self, request, frozen, digest, run):
        status, outcome = request["status"], request["outcome"]
        if status == "pending":
            raise NotRun("timed_out", request)
        if status != "approved":
            denials = [decision for decision in outcome.get("decisions", []) if decision.get("verdict") == "deny"]
            raise NotRun(status, request, (denials[-1].get("reason") if denials else None) or outcome.get("reason"))
        if not digest == request["action_digest"] == outcome.get("action_digest") or outcome.get("request_digest") != request["request_digest"]:
            raise ClientError("digest_mismatch", "what was approved is not the action at hand; it does not run")
        if request.get("redeemed_at") is not None:
            raise _already_redeemed(request)
        self._spend(request, outcome.get("grant"), frozen, digest)
        try:
            value = run(json.loads(frozen))
        except BaseException as error:
            try:
                # Only the kind of error: its message may hold what nobody else should read.
                self.report(request["id"], "failed", detail=type(error).__name__)
            except ClientError:
                pass  # The run's own error matters more.
            raise
        try:
            self.report(request["id"], "succeeded")
        except ClientError as error:
            # It ran: that must not look like a failure. Who wants to know registers `on_report_error`.
            self.on_report_error(request, error)
        return value

    def on_report_error(self, request, error):
        """Called when the action ran, but the service could not be told. Does nothing unless replaced."""

    def _spend(self, request, grant, frozen, digest):
        fresh = False
        while True:
            try:
                if grant is None:
                    fresh, grant = True, self.grant(request["id"])
                claims = _read_grant(grant)[1]
                if claims["act_digest"] != digest or claims["action_request"] != request["id"] or claims["request_digest"] != request["request_digest"]:
                    raise ClientError("digest_mismatch", "the grant is for another action than the one at hand; it does not run")
                if self._jwks is not None:
                    verify_grant(grant, jwks=self._jwks, issuer=self._issuer, audience=claims["aud"], action=json.loads(frozen))
                answer = self.redeem(grant, json.loads(frozen))
                if answer["action_request"] != request["id"] or answer["grant_id"] != claims["jti"]:
                    raise ClientError("digest_mismatch", "the redemption is of another grant; it does not run")
                return
            except ClientError as error:
                if error.refusal == "grant_already_redeemed":
                    raise _already_redeemed(request) from error
                if error.refusal == "grant_revoked":
                    raise NotRun("revoked", request) from error
                if error.refusal == "policy_changed":
                    raise NotRun("denied", request, error.problem.get("detail")) from error
                over = error.refusal == "grant_expired" or error.code == "grant_expired"
                if over and not fresh:
                    grant = None
                    continue
                if over or error.refusal == "approval_over":
                    raise NotRun("expired", request) from error
                raise

    def _withdraw(self, request_id):
        for take_back in (self.cancel, self.revoke):
            try:
                take_back(request_id)
                return
            except ClientError:
                continue  # Settled meanwhile: then an approval is revoked, and anything else runs nothing.

    def _call(self, method, path, body=None, headers=None, timeout=30, patience=60):
        """One call, tried again while the service is away, busy or restarting; `patience` is for how long, None without end."""
        deadline = None if patience is None else time.monotonic() + patience
        failures = 0
        while True:
            value, error, again, wait = self._try(method, path, body, headers or {}, timeout)
            if error is None:
                return value
            delay = max(min(10, 0.25 * 2 ** min(failures, 10)) * random.uniform(0.5, 1), wait)
            if not again or (deadline is not None and time.monotonic() + delay > deadline):
                raise error
            self._sleep(delay)
            failures += 1

    def _try(self, method, path, body, headers, timeout):
        data = None if body is None else _utf8(canonical_json(body))
        sent = {"Accept": "application/json", "Authorization": f"Bearer {self._api_key}", **headers}
        if data is not None:
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data=data, headers=sent, method=method)
        try:
            with _opener.open(request, timeout=timeout) as response:
                status, raw, answered = response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            with error:
                status, raw, answered = error.code, error.read(), error.headers
        except (OSError, http.client.HTTPException) as error:
            return None, ClientError("unreachable", f"{self.url} does not answer: {error}"), True, 0
        try:
            value = _strict(raw)
        except ValueError:
            value = None
            if 200 <= status < 300:
                return None, ClientError("unexpected_answer", f"{self.url} answered {status} without the JSON that was due", status), False, 0
        if 200 <= status < 300:
            return value, None, False, 0
        problem = value if isinstance(value, dict) and isinstance(value.get("code"), str) else None
        again = status in (429, 502, 503, 504) or (status == 500 and method == "GET") or (problem or {}).get("code") == "idempotency_in_progress"
        says = f"{problem['code']}: {problem.get('detail')}" if problem else f"{self.url} answered {status} to {method} {path}"
        code = "unreachable" if again else "refused" if problem else "unexpected_answer"
        wait = answered.get("Retry-After") or ""
        return None, ClientError(code, says, status, problem), again, min(60, int(wait)) if wait.isdigit() else 0


def verify_outcome(raw_body, headers, *, secret=None, jwks=None, tolerance_seconds=300, now=None):
    """Verifies a callback (Standard Webhooks) over its raw bytes and returns it parsed: {type, timestamp, data}.
    `secret` is `whsec_...` or several; `jwks` needs `cryptography`. One signature by a trusted key is enough.
    Raises ClientError invalid_signature, stale_message, malformed_message, invalid_options."""
    body = _utf8(raw_body) if isinstance(raw_body, str) else bytes(raw_body)
    found = {}
    for name, value in headers.items():
        if name.lower() in found:
            raise ClientError("malformed_message", f"the header {name} came twice")
        found[name.lower()] = value
    message_id, seconds, signatures = (found.get(name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature"))
    if not (message_id and seconds and signatures) or not all(isinstance(value, str) for value in (message_id, seconds, signatures)):
        raise ClientError("malformed_message", "webhook-id, webhook-timestamp or webhook-signature is missing")
    if not re.fullmatch(r"[1-9][0-9]{0,11}", seconds):
        raise ClientError("malformed_message", "webhook-timestamp is no number of seconds")
    if secret is None and jwks is None:
        raise ClientError("invalid_options", "name a secret or a JWK Set to verify with")
    signed = _utf8(f"{message_id}.{seconds}.") + body
    expected = [hmac.new(_secret(each), signed, hashlib.sha256).digest() for each in ([] if secret is None else [secret] if isinstance(secret, str) else secret)]
    keys = [] if jwks is None else list(_ed25519_keys(jwks).values())
    if not any(_matches(entry, signed, expected, keys) for entry in signatures.split(" ")):
        raise ClientError("invalid_signature", "no signature on the message is of a key that is trusted")
    if abs((time.time() if now is None else now) - int(seconds)) > tolerance_seconds:
        raise ClientError("stale_message", f"the message was signed more than {tolerance_seconds} s from now: it may be a replay")
    try:
        message = _strict(body)
    except ValueError as error:
        raise ClientError("malformed_message", "the message is no JSON that can be read in one way only") from error
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, dict) or message.get("type") not in ("outcome.settled", "outcome.revoked") or not isinstance(data.get("status"), str):
        raise ClientError("malformed_message", "the message is no outcome")
    return message


def verify_grant(grant, *, jwks, issuer, audience, action, now=None):
    """Verifies a grant without asking the service, for exactly this action; needs `cryptography`. Returns its claims.
    Whether it was used or revoked only `redeem` says. Raises ClientError invalid_grant, grant_expired, action_mismatch."""
    header, claims, signed, signature = _read_grant(grant)
    key = _ed25519_keys(jwks).get(header["kid"])
    if key is None or not _ed25519_verifies(key, signature, signed):
        raise ClientError("invalid_grant", "no published key signed the grant")
    now = time.time() if now is None else now
    if claims["iss"] != issuer or claims["aud"] != audience or claims["iat"] > now + 60:
        raise ClientError("invalid_grant", "the grant is from or for somebody else, or of the future")
    if claims["exp"] <= now:
        raise ClientError("grant_expired", "the grant has expired")
    if claims["act_digest"] != action_digest(action):
        raise ClientError("action_mismatch", "the grant is for another action")
    return claims


def action_digest(action):
    """The `action_digest` of {action, resource, parameters?, actor, environment?}; members that are None at the top are absent."""
    return _freeze(action)[1]


def canonical_json(value):
    """RFC 8785. Refuses (ClientError invalid_action) what Python and JavaScript would write differently: floats like 1.0 or 1e-07
    (send an int, or a string), ints beyond 2^53, NaN, lone surrogates; and what JSON does not have."""
    out = []
    _write(value, out, 0)
    return "".join(out)


def _write(value, out, depth):
    if depth > 64:
        raise ClientError("invalid_action", "nested deeper than 64")
    if value is None or value is True or value is False:
        out.append("null" if value is None else "true" if value is True else "false")
    elif isinstance(value, str):
        _utf8(value)
        out.append(json.dumps(value, ensure_ascii=False))
    elif isinstance(value, int):
        if abs(value) > 2**53 - 1:
            raise ClientError("invalid_action", "an integer is beyond 2^53 - 1: send it as a string")
        out.append(str(int(value)))
    elif isinstance(value, float):
        # Inside these bounds repr and JavaScript agree (shortest digits, no exponent); 1.0 is 1 there.
        if not 1e-4 <= abs(value) < 2**53 or value.is_integer():
            raise ClientError("invalid_action", f"the float {value!r} is written otherwise by JavaScript: send an int or a string")
        out.append(repr(float(value)))
    elif isinstance(value, (list, tuple)):
        out.append("[")
        for index, element in enumerate(value):
            out.append("," if index else "")
            _write(element, out, depth + 1)
        out.append("]")
    elif isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ClientError("invalid_action", "a key is no string")
        for key in value:
            _utf8(key)
        out.append("{")
        # RFC 8785, section 3.2.3: by UTF-16 code units.
        for index, key in enumerate(sorted(value, key=lambda key: key.encode("utf-16-be"))):
            out.append("," if index else "")
            out.append(json.dumps(key, ensure_ascii=False) + ":")
            _write(value[key], out, depth + 1)
        out.append("}")
    else:
        raise ClientError("invalid_action", f"{type(value).__name__} is no JSON value")


def _freeze(action):
    """The canonical text of what the digest covers, and the digest: the text is the copy that nothing can change."""
    members = {name: action[name] for name in ("action", "resource", "parameters", "actor", "environment") if action.get(name) is not None}
    missing = [name for name in ("action", "resource", "actor") if name not in members]
    if missing:
        raise ClientError("invalid_action", f"{', '.join(missing)} missing")
    text = canonical_json(members)
    return text, "sha256:" + hashlib.sha256(_utf8(text)).hexdigest()


def _utf8(text):
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ClientError("invalid_action", "a text has half of a surrogate pair, which is no character") from error


def _strict(raw):
    """JSON that can be read in one way only: no duplicate members, no NaN, UTF-8. Raises ValueError."""

    def members(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("duplicate member")
        return dict(pairs)

    def constant(name):
        raise ValueError(name)

    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=members, parse_constant=constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_STATUSES = ("pending", "approved", "denied", "expired", "cancelled", "revoked")


def _request(value):
    sound = (
        isinstance(value, dict)
        and isinstance(value.get("id"), str)
        and value["id"].startswith("ar_")
        and value.get("status") in _STATUSES
        and all(isinstance(value.get(name), str) and _DIGEST.fullmatch(value[name]) for name in ("action_digest", "request_digest"))
        and "outcome" in value
    )
    if not sound:
        raise ClientError("unexpected_answer", "what answered is not an action request")
    outcome = value["outcome"]
    if value["status"] != "pending" and not isinstance(outcome, dict):
        raise ClientError("unexpected_answer", "the answer lacks its outcome")
    if outcome is not None and (not isinstance(outcome, dict) or outcome.get("action_request") != value["id"] or outcome.get("status") != value["status"]):
        raise ClientError("digest_mismatch", "the answer holds the outcome of another request")
    return value


def _same(request_id, value):
    request = _request(value)
    if request["id"] != request_id:
        raise ClientError("digest_mismatch", "the answer is about another request than the one that was asked for")
    return request


def _path(request_id):
    return "/v1/action-requests/" + urllib.parse.quote(request_id, safe="")


def _already_redeemed(request):
    return ClientError("already_redeemed", f"the approval of {request['id']} was used before; whether that run ended is for you to find out, it does not run again")


def _secret(text):
    try:
        if not text.startswith("whsec_"):
            raise ValueError
        key = base64.b64decode(text[6:], validate=True)
        if not 24 <= len(key) <= 64:
            raise ValueError
        return key
    except (ValueError, binascii.Error):
        raise ClientError("invalid_options", "a secret is whsec_ and the base64 of 24 to 64 bytes") from None


def _matches(entry, signed, expected, keys):
    scheme, _, text = entry.partition(",")
    try:
        signature = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return False
    if scheme == "v1":
        # compare_digest takes the same time wherever the difference is.
        return any([hmac.compare_digest(mac, signature) for mac in expected])
    return scheme == "v1a" and any(_ed25519_verifies(key, signature, signed) for key in keys)


def _ed25519_keys(jwks):
    if Ed25519PublicKey is None:
        raise ClientError("invalid_options", "verifying with published keys needs the package cryptography")
    keys = {}
    for jwk in jwks["keys"]:
        if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
            try:
                keys[jwk.get("kid")] = Ed25519PublicKey.from_public_bytes(_base64url(jwk.get("x", "")))
            except ValueError as error:
                raise ClientError("invalid_options", "a key of the JWK Set is no Ed25519 key") from error
    if not keys:
        raise ClientError("invalid_options", "the JWK Set holds no Ed25519 key")
    return keys


def _ed25519_verifies(key, signature, signed):
    try:
        key.verify(signature, signed)
        return True
    except InvalidSignature:
        return False


def _base64url(text):
    """Without padding, in the one canonical spelling. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError("no base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != text:
        raise ValueError("not canonical")
    return raw


_TEXT_CLAIMS = ("iss", "aud", "jti", "tenant", "action_request", "act_digest", "request_digest", "policy_digest")


def _is_bound(cnf):
    """Absent, or the thumbprint of the key that redemption must prove."""
    return cnf is None or (isinstance(cnf, dict) and set(cnf) == {"jkt"} and isinstance(cnf["jkt"], str))


def _read_grant(grant):
    """Header, claims, what is signed, and the signature; exactly the form that the service makes."""
    parts = grant.split(".") if len(grant) <= 8192 else []
    try:
        header, claims, signature = _strict(_base64url(parts[0])), _strict(_base64url(parts[1])), _base64url(parts[2])
    except (ValueError, IndexError):
        raise ClientError("invalid_grant", "it is no compact JWS") from None
    sound = (
        len(parts) == 3
        and isinstance(header, dict)
        and set(header) == {"alg", "kid", "typ"}
        and header["alg"] == "EdDSA"
        and header["typ"] == "approval-grant+jwt"
        and isinstance(header["kid"], str)
        and isinstance(claims, dict)
        and set(claims) - {"cnf"} == {*_TEXT_CLAIMS, "iat", "exp"}
        and _is_bound(claims.get("cnf"))
        and all(isinstance(claims[name], str) for name in _TEXT_CLAIMS)
        and all(type(claims[name]) is int for name in ("iat", "exp"))
        and 0 < claims["exp"] - claims["iat"] <= 900
    )
    if not sound:
        raise ClientError("invalid_grant", "its header or claims are not ours")
    return header, claims, f"{parts[0]}.{parts[1]}".encode("ascii"), signature


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The key goes where the caller said, and nowhere that an answer says."""

    def redirect_request(self, *_args):
        return None


_opener = urllib.request.build_opener(_NoRedirect)
