"""Texts of the help."""

TEXTS = {
    "help.title": "Keys",
    "help.keys": (
        "F1  Ctrl-G  Esc 1   this help\n"
        "F2  Ctrl-O  Esc 2   customise: the screens with settings\n"
        "F12 Ctrl-T  Esc 0   power: restart, switch off, maintenance\n"
        "1 to 9, 0           the ten screens\n"
        "Tab, Shift-Tab      next and previous part of the screen\n"
        "arrows, Enter       move and choose\n"
        "Esc                 back\n"
        "Ctrl-P              find any action by its name\n"
        "Ctrl-L              draw the screen anew\n"
        "q                   leave, in a session over SSH\n\n"
        "Where function keys get lost on a serial line, press the Ctrl key,\n"
        "or Esc and at once the digit."
    ),
}
