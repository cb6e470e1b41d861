"""Asks PAM about one password; a program of its own, for a module of PAM may hang or crash.

It is run as `python3 -I pam_login.py ACCOUNT [FOLDER]`, reads the password from standard input, and ends with
one of the statuses below. FOLDER holds the service's file, where it is not the system's.
"""

import ctypes
import sys

SERVICE = "virtnode"
RIGHT, WRONG, BARRED, BROKEN = 0, 3, 4, 5
"""The password is right; wrong; right, but the account may not be used; PAM does not work."""
LIBRARY = "libpam.so.0"
SUCCESS, CONVERSATION_ERROR = 0, 19
BROKEN_CODES = (1, 2, 3, 9, 26, 28)
"""PAM_OPEN_ERR, _SYMBOL_ERR, _SERVICE_ERR, _AUTHINFO_UNAVAIL, _ABORT, _MODULE_UNKNOWN; all others count."""
ECHO_OFF, ECHO_ON = 1, 2
SILENT = 0x8000


class Message(ctypes.Structure):
    """What a module says: `struct pam_message`."""

    _fields_ = (("style", ctypes.c_int), ("text", ctypes.c_char_p))


class Response(ctypes.Structure):
    """What it is answered: `struct pam_response`."""

    _fields_ = (("text", ctypes.c_void_p), ("code", ctypes.c_int))


CONVERSE = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(Message)),
    ctypes.POINTER(ctypes.POINTER(Response)),
    ctypes.c_void_p,
)


class Conversation(ctypes.Structure):
    """Who answers the modules: `struct pam_conv`."""

    _fields_ = (("function", CONVERSE), ("data", ctypes.c_void_p))


def main() -> int:
    """Check the password on standard input; returns the status."""
    account, *folder = sys.argv[1:]
    password = sys.stdin.buffer.read()
    if not password or b"\0" in password:
        return WRONG
    try:
        return check_password(account, password, folder[0] if folder else "")
    except (OSError, AttributeError) as error:
        sys.stderr.write(f"PAM cannot be used: {error}\n")
        return BROKEN


def check_password(account: str, password: bytes, folder: str) -> int:
    """Ask PAM for authentication and for the account; raises OSError and AttributeError without PAM."""
    pam, libc = ctypes.CDLL(LIBRARY), ctypes.CDLL(None)
    libc.calloc.restype, libc.calloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t, ctypes.c_size_t)
    libc.strdup.restype, libc.strdup.argtypes = ctypes.c_void_p, (ctypes.c_char_p,)

    # PAM frees what it is given, so that it must come from the C library.
    def answer(count: int, messages: object, responses: object, data: object) -> int:
        array = libc.calloc(count, ctypes.sizeof(Response))
        if not array:
            return CONVERSATION_ERROR
        items = ctypes.cast(array, ctypes.POINTER(Response))
        for number in range(count):
            if messages[number].contents.style in (ECHO_OFF, ECHO_ON):  # type: ignore[index]
                items[number].text = libc.strdup(password)
        responses[0] = items  # type: ignore[index]
        return SUCCESS

    conversation = Conversation(CONVERSE(answer), None)
    handle = ctypes.c_void_p()
    words = (SERVICE.encode(), account.encode(), ctypes.byref(conversation))
    begun = (
        pam.pam_start_confdir(*words, folder.encode(), ctypes.byref(handle))
        if folder
        else pam.pam_start(*words, ctypes.byref(handle))
    )
    if begun != SUCCESS:
        return BROKEN
    code = pam.pam_authenticate(handle, SILENT)
    status = RIGHT if code == SUCCESS else BROKEN if code in BROKEN_CODES else WRONG
    if status == RIGHT and pam.pam_acct_mgmt(handle, SILENT) != SUCCESS:
        status = BARRED
    pam.pam_end(handle, code)
    return status


if __name__ == "__main__":
    sys.exit(main())
