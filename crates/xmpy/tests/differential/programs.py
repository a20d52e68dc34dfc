# Arithmetic on integers, both signs.
pairs = [(leak_a, leak_b) for leak_a in (-7, -1, 0, 3, 8) for leak_b in (-3, -1, 2, 5)]
quotients = [(leak_a // leak_b, leak_a % leak_b, leak_a / leak_b, divmod(leak_a, leak_b)) for leak_a, leak_b in pairs]
powers = [2 ** leak_n for leak_n in range(12)], 7 ** 30 % 1000, (-2) ** 3, 2 ** -2, 10 ** 25
bits = 6 & 3, 6 | 3, 6 ^ 3, ~6, 1 << 40, -17 >> 2
big = 2 ** 64 - 1, 2 ** 63, -2 ** 63 - 1, 9223372036854775807 + 1, (2 ** 70) // 3, -(2 ** 70) % 1000
texts = [int("12"), int(" -7 "), int("ff", 16), int("0x1f", 0), int("0b11", 2), int("777", 8), int(3.99), int(-3.99), int(True)]
#---
# Floats.
sums = 0.1 + 0.2, 1e16 + 1, 1.5 * 3, 7.0 / 2, -7.5 // 2, -7.5 % 2, 7.5 % -2, 2.0 ** 0.5, 1e300 * 10
conversions = float("1e3"), float(" -2.5 "), float("inf"), float(7), int(1e15), abs(-2.5), 1 == 1.0, hash(1) == hash(1.0)
shown = "%.3f" % 3.14159, "%5.1f|" % 2.25, "%e" % 12345.678, "%g" % 0.0001, "%g" % 1e-05, "%g" % 123456789.0, "%G" % 1e20, "%#g" % 1.0
shown2 = "%f" % 1e15, "%.0f" % 0.5, "%.0f" % 1.5, "%+f" % 1, "%010.2f" % -3.14159, "%-10.2f|" % 2.5, "%.10g" % 0.1, "%e" % 0
shown3 = repr(0.1), repr(1e16), repr(1e-5), repr(123456789012345678.0), repr(1.0), repr(-0.0), repr(1e22), repr(5e-324)
rounds = round(2.5), round(-2.5), round(2.675, 2), round(1234.5678, -2), round(0.5), round(1.005, 2), round(1e20, 3)
#---
# Percent formatting.
a = "%d %i %u" % (1, -2, 3), "%5d|%-5d|%05d|%+d|% d" % (42, 42, 42, 42, 42), "%x %X %o %#x %#X" % (255, 255, 8, 255, 255)
b = "%s %r %s" % ("a'b", "a'b", [1, "x", None]), "%c%c" % (65, "z"), "%%", "%5s|%-5s|%.2s" % ("ab", "cd", "efg")
c = "%(name)s-%(id)03d" % {"name": "web", "id": 7, "more": 1}, "%*d|%-*d|%.*f" % (5, 1, 4, 2, 2, 3.14159)
d = "%d" % 3.99, "%s" % (1,), "%s" % ((1, 2),), "%d%%" % 50, "%.3d" % 5, "%+.2e" % 1234.5, "%r" % ({"a": 1},)
e = "%d" % 10 ** 3 if False else "%d" % (10 ** 20), "%x" % -255, "%o" % -8, "%5.3d|" % 7, "%-8s|%8s" % ("l", "r")
errors = []
for template, value in (("%d", "x"), ("%s %s", 1), ("%s", (1, 2)), ("%(a)s", {}), ("%z", 1), ("%", 1), ("%c", "ab"), ("%(a)s", 1)):
    try:
        errors.append(template % value)
    except Exception as leak_error:
        errors.append(leak_error.__class__.__name__)
#---
# str.format.
a = "{} {}".format(1, "a"), "{0}{1}{0}".format("x", "y"), "{a[0]}{a[1]}{b}".format(a=[1, 2], b="c"), "{{}}{0!r}".format("q")
b = "{:5}|{:<5}|{:>5}|{:^5}".format(1, 2, "a", "b"), "{:05d}|{:+}|{: }|{:x}|{:#x}|{:b}|{:o}".format(42, 42, 42, 255, 255, 5, 8)
c = "{:.2f}|{:8.3f}|{:e}|{:g}|{:%}".format(3.14159, 2.5, 1234.5, 0.0001, 0.25), "{:,}".format(1234567), "{:*^9}".format("mid")
d = "{0:{1}}|{0:{w}.{p}f}".format(3.5, 8, w=7, p=1), "{:s}|{!s:>4}".format("a", 7), "{:.2}".format("abc"), "{:c}".format(65)
e = format(255, "x"), format("a", ">3"), format(3.5), "{0[k]}".format({"k": "v"})
#---
# Strings.
s = "The quick-brown fox, jumps.\tover\n"
a = s.upper(), s.lower(), s.title(), s.swapcase(), s.capitalize(), s.strip(), s.split(), s.split("o"), s.split("o", 1), s.rsplit("o", 1)
b = s.find("o"), s.rfind("o"), s.find("z"), s.find("o", 15), s.find("o", 15, 16), s.count("o"), s.index("q"), s.replace("o", "0"), s.replace("o", "", 1)
c = "a,b,,c".split(","), ",".join(["x", "y"]), "x".join([]), "abc".partition("b"), "abcb".rpartition("b"), "abc".partition("z"), " a  b ".split(None, 1), "abc".rpartition("z")
d = "7".zfill(3), "-7".zfill(4), "a".center(4), "a".center(5, "*"), "ab".center(5), "a".ljust(3) + "|", "a".rjust(3), "a\tb".expandtabs(4), "ab".expandtabs(), "\t|".expandtabs(3)
e = "abc".startswith("ab"), "abc".endswith(("x", "c")), "abc".startswith("b", 1), "abc".endswith("b", 0, 2), "a1".isalnum(), "1".isdigit(), "".isdigit(), "Ab".istitle(), " ".isspace(), "AB".isupper(), "a b".islower()
f = "hello"[1], "hello"[-1], "hello"[1:3], "hello"[::-1], "hello"[-3:], "hello"[:-1], "hello"[10:], "hello"[4:1:-1], "hello"[::2]
g = "xxabxx".strip("x"), "xxabxx".lstrip("x"), "xxabxx".rstrip("bx"), "a\nb\r\nc\n".splitlines(), "a\nb".splitlines(True), "ab" * 3, "ab" * 0, "ab" * -1
h = "b" in "abc", "" in "abc", "abc" < "abd", "a" < "B", "abc" == 'abc', min("hello"), max("hello"), sorted("hello"), list("abc"), tuple("ab")
i = chr(65), ord("a"), repr("it's"), repr('a"b'), repr("a'b\"c"), repr("\n\t\\\x01"), str(None), str([1, "a"]), str({"a": (1,)}), str((1,)), repr(())
j = r"\d\n", "\x41\101\t\\", """multi
line""", "a" "b" 'c', "tail\
joined", len("hello"), "abc".find(""), "abc".rfind(""), "abc".count(""), "aaa".replace("", "-"), "aaa".count("aa")
#---
# Lists and tuples.
a = [3, 1, 2]
b = a
a.append(4)
a.extend((5, 6))
a.insert(1, "one")
a.remove("one")
popped = a.pop(), a.pop(0), a.pop(-1)
a += [7]
a *= 2
a[1:3] = ["x", "y", "z"]
del a[0], a[-1]
a[::2] = [0] * len(a[::2])
same = a is b, a == b, [1, 2] == [1, 2], [1] is [1]
c = sorted([3, 1, 2]), sorted("bca", reverse=True), sorted([(2, "b"), (1, "z"), (2, "a")]), sorted(["b", "A", "c"], key=str.lower), sorted([3, -1, 2], key=abs)
d = [5, 3, 9]
d.sort()
d.reverse()
e = [1, 2, 3].index(2), [1, 1, 2].count(1), (1, 2, 1).count(1), (1, 2).index(2), [1, 2] + [3], (1,) + (2, 3), [0] * 3, 2 * (1,)
f = [1, 2] < [1, 3], [1] < [1, 0], (1, 2) > (1,), [] < [1], [[1], [2]] == [[1], [2]], 2 in [1, 2], (1,) in [(1,)]
g = range(5), range(2, 8, 3), range(5, 0, -2), range(0), list(enumerate("ab")), zip([1, 2], "ab"), zip(), list(reversed([1, 2, 3]))
h = map(lambda x: x * 2, [1, 2]), filter(lambda x: x > 1, [1, 2, 3]), filter(None, [0, 1, "", "a"]), map(None, [1, 2], [3]), map(str, [1, 2]), reduce(lambda x, y: x + y, [1, 2, 3], 10)
i = any([0, 1]), all([1, 0]), sum([1, 2, 3], 4), min(3, 1), max([1, 5, 2]), min("b", "a"), max([1, 2], key=lambda x: -x), len([1, 2])
x, (y, z) = 1, [2, 3]
p = q = [1]
q.append(2)
[m, n] = "ab"
#---
# Dictionaries and sets.
d = {"a": 1, "b": 2, 3: "c", (1, 2): "t", None: 0, 1.5: "f"}
d["n"] = d.pop("a")
d.update({"u": 1}, w=2)
del d[3]
a = sorted(d.keys(), key=str), len(d), d.get("zz"), d.get("zz", 5), d.get("b"), "b" in d, "zz" not in d
b = dict([("k", 1), ("l", 2)]), dict(a=1, b=2), {}, dict(zip("ab", range(2))), {k: v for k, v in [("x", 1)]}, dict.fromkeys("ab", 0)
e = {}
for word in "the cat and the dog and the end".split():
    e[word] = e.get(word, 0) + 1
e.setdefault("list", []).append(1)
e.setdefault("list", []).append(2)
f = sorted(e.items(), key=lambda item: item[0]), {1: "a", True: "b"}, {1: "a"}[1.0], d.copy() == d, d == {}
s = set([1, 2, 3, 2])
s.add(4)
s.discard(9)
s.remove(1)
g = s, s | {9}, s & {2, 3}, s - {2}, s ^ {2, 99}, 2 in s, len(s), {1, 2} <= {1, 2, 3}, {1} < {1}, set("aab"), frozenset([1]), {1, 2} == {2, 1}
h = s.union([7], [8]), s.intersection([2]), s.difference([2]), s.issubset(range(9)), s.isdisjoint([100]), sorted({x % 3 for x in range(10)})
errors = []
for key in ("missing", [1], {}):
    try:
        d[key]
    except Exception as leak_error:
        errors.append((leak_error.__class__.__name__, isinstance(leak_error, LookupError)))
#---
# Control flow.
log = []
for i in range(3):
    for j in range(3):
        if j == 1:
            continue
        if i == 2:
            break
        log.append((i, j))
    else:
        log.append("inner")
else:
    log.append("outer")
n = 10
while n:
    n -= 3
    if n < 0:
        break
else:
    log.append("not reached")
x = 5 if n else 6
y = 1 < 2 < 3, 1 < 3 < 2, not 1 == 2, 0 or "" or "last", 1 and "second", None or 0, 3 if 0 else 4
if x == 1: z = 1
elif x == 5: z = 2; w = 3
else: z = 4
squares = [leak_a * leak_b for leak_a in range(3) for leak_b in range(leak_a) if leak_a + leak_b > 1]
nested = [[leak_c * leak_d for leak_c in range(3)] for leak_d in range(2)]
gen = (g * g for g in range(5) if g % 2)
first, rest = next(gen), list(gen)
joined = ",".join("%d" % h for h in range(3))
pairs = {(k, l) for k in range(2) for l in "ab"}
total = sum(v for v in [1, 2, 3])
#---
# Exceptions.
log = []
def attempt(what):
    try:
        try:
            log.append(what())
        except ZeroDivisionError:
            log.append("zero")
            raise
        except (KeyError, IndexError) as leak_error:
            log.append(leak_error.__class__.__name__)
        else:
            log.append("fine")
        finally:
            log.append("finally")
    except Exception as leak_error:
        log.append("outer " + leak_error.__class__.__name__)
attempt(lambda: 1)
attempt(lambda: 1 / 0)
attempt(lambda: {}["k"])
attempt(lambda: [][1])
attempt(lambda: int("x"))
attempt(lambda: None.x)
attempt(lambda: undefined_name)
def early():
    for i in range(3):
        try:
            if i == 1:
                return "early"
        finally:
            log.append(i)
early_result = early()
def override():
    try:
        return 1
    finally:
        return 2
overridden = override()
def raiser(kind, *args):
    raise kind(*args)
texts = []
for kind, args in ((ValueError, ("a",)), (ValueError, ()), (KeyError, ("k",)), (RuntimeError, ("a", 1)), (TypeError, (2, "No such file"))):
    try:
        raiser(kind, *args)
    except Exception as leak_error:
        texts.append((leak_error.__class__.__name__, str(leak_error), leak_error.args))
try:
    assert 1 == 2, "message"
except AssertionError as leak_error:
    asserted = str(leak_error)
#---
# Functions.
def f(a, b=2, *c, **d):
    return a, b, c, sorted(d.items())
calls = f(1), f(1, 3), f(1, 3, 4, 5), f(b=1, a=2), f(1, k=3), f(*(1, 2, 3)), f(1, *[2], **{"z": 1}), f(*"ab")
def outer():
    hidden = [0]
    def inner(step=1):
        hidden[0] += step
        return hidden[0]
    return inner
tick = outer()
ticks = tick(), tick(5), tick()
def fact(n):
    return 1 if n < 2 else n * fact(n - 1)
facts = [fact(leak_n) for leak_n in (0, 5, 25)]
counter = 0
def bump():
    global counter
    counter += 1
    return counter
bumps = [bump(), bump(), counter]
compose = lambda f, g: lambda x: f(g(x))
composed = compose(lambda x: x + 1, lambda x: x * 2)(5)
adders = [lambda x, n=leak_n: x + n for leak_n in range(3)]
added = [leak_add(10) for leak_add in adders]
late = [leak_f() for leak_f in [lambda: leak_k for leak_k in range(3)]] and None
def mutable(item, seen=[]):
    seen.append(item)
    return list(seen)
seen = mutable(1), mutable(2)
def unbound():
    try:
        missing_local
    except NameError as leak_error:
        return leak_error.__class__.__name__
    missing_local = 1
caught = unbound()
errors = []
for attempt in (lambda: f(), lambda: fact(1, 2), lambda: fact(m=1), lambda: f(1, a=2), lambda: 5(), lambda: f(**{"a": 1, "b": 2, "c": 3})):
    try:
        errors.append(attempt())
    except TypeError:
        errors.append("TypeError")
apply_all = map(lambda f, x: f(x), [len, str.upper, lambda s: s * 2], ["abc", "b", "c"])
#---
# Regular expressions, as configurations use them.
import re
a = re.search(r"(\d+)$", "web12").group(1), re.match("a", "ba"), bool(re.search("x86", "i686")), re.sub(r"\s+", " ", "a   b \t c"), re.split(r"[,;]\s*", "a, b;c")
b = re.findall(r"\w+", "a b-c"), re.findall(r"(\w)(\d)", "a1 b2"), re.findall(r"x(\d)", "x1x2"), re.sub(r"(\w+)@(\w+)", r"\2 at \1", "me@home"), re.subn("a", "b", "aaa", 2)
m = re.match(r"(?P<bus>[0-9a-f]{2}):(?P<slot>[0-9a-f]{2})\.(\d)", "0a:1f.3 rest")
c = m.groups(), m.group(0), m.group("bus", "slot"), m.groupdict(), m.start(), m.end(), m.span(2), m.group(1, 3)
p = re.compile("^DOM", re.I | re.M)
d = p.findall("dom\nDom\nxdom"), p.pattern, p.search("zz"), [leak_x.group() for leak_x in re.finditer("[ab]", "cab")], re.sub("b", lambda m: m.group().upper(), "abc")
e = re.match(".*", "a\nb").group(), re.match("(?s).*", "a\nb").group(), re.split("(-)", "a-b"), re.sub("^", "> ", "x"), re.search("a{2,3}", "caaaat").group(), re.findall("a*?b", "aab")
f = re.search("[^]]+", "]ab]").group(), re.search(r"[\w.-]+", "!a.b-c!").group(), re.match("(a)|b", "b").groups(), re.search(r"\bfoo\b", "a foo b").span(), re.escape("a.b")
#---
# Paths and strings of the standard library.
import os.path
import string
a = os.path.join("a", "b"), os.path.join("a", "/b"), os.path.join("a/", "b", ""), os.path.basename("/x/y.cfg"), os.path.dirname("/x/y"), os.path.dirname("y"), os.path.split("/x/y"), os.path.split("/x/"), os.path.split("/")
b = os.path.splitext("a.b.c"), os.path.splitext(".bashrc"), os.path.splitext("a/.b"), os.path.splitext("a.d/b"), os.path.isabs("/a"), os.path.normpath("/a/./b/../c//d"), os.path.normpath(""), os.path.normpath("../a/.."), os.path.normpath("//a"), os.path.normpath("/.."), os.path.basename("/x/")
c = string.digits, string.hexdigits, string.ascii_lowercase[:3], string.punctuation, string.capwords("hello big  world")
