"""Runs programs in CPython and prints what they leave in their variables.

Programs come in the file that the first argument names, with NUL between them; the results go to stdout the same way.
They see what xm puts before a configuration, on a machine that has every file but those below /missing; their first line
may say `# words: NAME=VALUE ..`.
It runs in Python 2.7 as it is. In Python 3 it makes programs mean what they mean in Python 2, as far as the two differ:
`/` of integers is the floor, and what made lists makes lists.
"""
import ast
import struct
import sys

THREE = sys.version_info[0] == 3


def shown(value):
    """A value in a form that does not depend on the version, the order of dictionaries, or int and long."""
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, str):
        return '"%s"' % "".join(c if " " <= c <= "~" and c not in '"\\' else "{%x}" % ord(c) for c in value)
    if isinstance(value, float):
        return "f%016x" % struct.unpack(">Q", struct.pack(">d", value))[0]
    if isinstance(value, int if THREE else (int, long)):  # noqa: F821
        return "%d" % value
    if isinstance(value, list):
        return "[%s]" % ",".join(map(shown, value))
    if isinstance(value, tuple):
        return "(%s)" % ",".join(map(shown, value))
    if isinstance(value, dict):
        return "{%s}" % ",".join(sorted("%s:%s" % (shown(k), shown(v)) for k, v in value.items()))
    if isinstance(value, (set, frozenset)):
        return "<%s>" % ",".join(sorted(map(shown, value)))
    return "?"


def slash(a, b):
    return a // b if isinstance(a, int) and isinstance(b, int) else a / b


class Slash(ast.NodeTransformer):
    """Every division goes through `slash`."""

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        name = ast.copy_location(ast.Name("_slash", ast.Load()), node)
        return ast.copy_location(ast.Call(name, [node.left, node.right], []), node)


def mapped(function, *columns):
    columns = [list(column) for column in columns]
    rows = [[c[n] if n < len(c) else None for c in columns] for n in range(max(map(len, columns)))]
    return [function(*row) if function else row[0] if len(row) == 1 else tuple(row) for row in rows]


def rounded(value, digits=0):
    from decimal import ROUND_HALF_UP, Context, Decimal

    if value in (float("inf"), float("-inf")) or value != value:
        return value
    return float(Decimal(float(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, Context(prec=2000)))


def prelude():
    if not THREE:
        return {}
    import functools

    return {
        "_slash": slash,
        "range": lambda *args: list(range(*args)),
        "xrange": range,
        "map": mapped,
        "filter": lambda function, values: list(filter(function, values)),
        "zip": lambda *args: list(zip(*args)),
        "reduce": functools.reduce,
        "cmp": lambda a, b: (a > b) - (a < b),
        "round": rounded,
    }


class Vars:
    """xm_vars."""

    def __init__(self, names):
        self.names, self.checks = names, []

    def var(self, name, use=None, check=None):
        self.checks.append((name, check))

    def check(self):
        for name, check in self.checks:
            try:
                self.names[name] = check(name, self.names.get(name))
            except Exception as error:
                raise error.__class__("%s - %s" % (name, error))


def configuration(names):
    """What xm puts before a script, and the machine that the script sees."""
    import os
    import socket
    import types

    def aton(text):
        return struct.unpack(">I", socket.inet_aton(text))[0]

    def ntoa(number):
        return socket.inet_ntoa(struct.pack(">I", number))

    os.uname = lambda: ("Linux", "localhost", "", "", "x86_64")
    os.environ = {"HOME": "/root"}
    os.getenv = os.environ.get
    os.getcwd = lambda: "/etc/xen"
    os.path.exists = os.path.isfile = lambda path: not path.startswith("/missing/")
    os.path.isdir = lambda path: False
    ip = types.ModuleType("xen.util.ip")
    helpers = {
        "get_defaultroute": lambda: [None, None],
        "get_current_ipaddr": lambda device=None: None,
        "get_current_ipmask": lambda device=None: None,
        "get_current_ipgw": lambda device=None: None,
        "inet_aton": aton,
        "inet_ntoa": ntoa,
        "add_offset_to_ip": lambda text, offset: ntoa(aton(text) + offset),
        "check_subnet": lambda ip, net, mask: aton(ip) & aton(mask) == aton(net) & aton(mask),
    }
    ip.__dict__.update(helpers)
    sys.modules.setdefault("xen", types.ModuleType("xen"))
    sys.modules.setdefault("xen.util", types.ModuleType("xen.util"))
    sys.modules["xen.util.ip"] = ip
    names.update(helpers)
    names.update(os=os, sys=sys, xm_help=0, xm_file="program", xm_vars=Vars(names))


def run(program):
    names = prelude()
    configuration(names)
    known = dict(names)
    if program.startswith("# words: "):
        names.update(word.split("=", 1) for word in program.splitlines()[0][len("# words: ") :].split())
    try:
        code = program
        if THREE:
            code = ast.fix_missing_locations(Slash().visit(ast.parse(program)))
        exec(compile(code, "program", "exec"), names)
    except Exception as error:
        return "!%s: %s" % (type(error).__name__, error)
    lines = []
    for name in sorted(names):
        text = shown(names[name])
        if known.get(name, names) is not names[name] and not name.startswith("__") and text != "?":
            lines.append("%s=%s" % (name, text))
    return "\n".join(lines)


def main():
    results_to, sys.stdout = sys.stdout, sys.stderr
    with open(sys.argv[1]) as programs:
        results = [run(program) for program in programs.read().split("\0")]
    results_to.write("\0".join(results))


main()
