"""Texts of the help."""

TEXTS = {
    "help.title": "Keys",
    "help.everywhere": "Everywhere",
    "help.keys": (
        "F1  Ctrl-G  ?     this help; ? but in a field\n"
        "F2  Ctrl-O        customise: the screens with settings\n"
        "F12 Ctrl-T        power: restart, switch off, maintenance\n"
        "1 to 9, 0         the ten screens; from a field Esc, then the digit\n"
        "Tab, Shift-Tab    next and previous part of the screen\n"
        "arrows            move in a list, from button to button\n"
        "Enter             chooses, opens < ... >, presses [ ... ]\n"
        "Space             the same; switches [x] in forms and lists\n"
        "PgUp, PgDn        scroll the screen, the list, the dialog\n"
        "Esc               back: closes a dialog, else goes to the menu\n"
        "Ctrl-P            finds any action by a part of its name\n"
        "Ctrl-D            decides about a change that waits\n"
        "Ctrl-L            draws the screen anew\n"
        "q                 leaves, in a session over SSH\n"
        "\n"
        "Where function keys get lost on a serial line, press the Ctrl key."
    ),
}
