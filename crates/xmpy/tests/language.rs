//! The language, feature by feature, as configurations use it.

mod common;

use common::{fault, run};
use xmpy::{Kind, Value};

/// Asserts what the variable `x` is after a script, as Python writes it.
fn is(text: &str, wanted: &str) {
    let names = run(&format!("{text}\n__shown = repr(x)"));
    match names.get("__shown") {
        Some(Value::Str(shown)) => assert_eq!(shown, wanted, "{text}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn values_keep_their_types() {
    let names = run(
        "a = 64\nb = '64'\nc = 6.5\nd = ['x', 1]\ne = True\nf = None\ng = (1, 2)\nh = {'k': 1}\ni = 10L\nj = len",
    );
    let all: Vec<(&str, &str)> = names.iter().map(|(name, value)| (name, value.type_name())).collect();
    let wanted = [
        ("a", "int"),
        ("b", "str"),
        ("c", "float"),
        ("d", "list"),
        ("e", "bool"),
        ("f", "NoneType"),
        ("g", "tuple"),
        ("h", "dict"),
        ("i", "long"),
        ("j", "builtin_function_or_method"),
    ];
    assert_eq!(all, wanted);
}

#[test]
fn arithmetic_is_python_2s() {
    for (text, wanted) in [
        ("7/2", "3"),
        ("-7/2", "-4"),
        ("7/-2", "-4"),
        ("7//2", "3"),
        ("-7%3", "2"),
        ("7%-3", "-2"),
        ("7.0/2", "3.5"),
        ("-7.5//2", "-4.0"),
        ("2**10", "1024"),
        ("2**-1", "0.5"),
        ("2**63", "9223372036854775808L"),
        ("9223372036854775807+1", "9223372036854775808L"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("10L", "10L"),
        ("10L-10", "0L"),
        ("0x1F+0755+0b11+0o17", "542"),
        ("1<<4|3^1&7", "18"),
        ("~5", "-6"),
        ("divmod(-7,2)", "(-4, 1)"),
        ("True+True", "2"),
        ("True&False", "False"),
        ("not 0", "True"),
        ("1e3", "1000.0"),
        ("round(2.5)", "3.0"),
        ("round(-1.255,2)", "-1.25"),
        ("abs(-3)", "3"),
        ("pow(2,10,1000)", "24"),
        ("int('0x1f',16)", "31"),
        ("int(' 42 ')", "42"),
        ("int(3.99)", "3"),
        ("float('1.5')", "1.5"),
        ("hex(255)", "'0xff'"),
        ("oct(8)", "'010'"),
        ("1 < 2 < 3", "True"),
        ("3 if 0 else 4", "4"),
        ("0 or 'a' and 'b'", "'b'"),
        ("'10' > 9", "True"),
        ("None < -1", "True"),
        ("[1,2] < [1,3]", "True"),
        ("cmp('a','b')", "-1"),
    ] {
        is(&format!("x = {text}"), wanted);
    }
    is("from __future__ import division\nx = 7/2", "3.5");
}

#[test]
fn strings_are_formatted() {
    for (text, wanted) in [
        ("'phy:sda%d,sda1,w' % (7+3)", "'phy:sda10,sda1,w'"),
        ("'%s-%05.1f|%-4d|%+d|%x|%#o|%%' % ('a', 2.25, 3, 4, 255, 8)", "'a-002.2|3   |+4|ff|010|%'"),
        ("'%(n)s%(m)02d' % {'n': 'v', 'm': 7}", "'v07'"),
        ("'%r %s' % ('a', [1,'b'])", "\"'a' [1, 'b']\""),
        ("'%5s|%-5s|%.2s' % ('a','b','cde')", "'    a|b    |cd'"),
        ("'%c%c' % (65, 'b')", "'Ab'"),
        ("'%e %g %G' % (12345.678, 1e-10, 1e20)", "'1.234568e+04 1e-10 1E+20'"),
        ("'%*d' % (5, 42)", "'   42'"),
        ("'{0}-{1!r:>5}-{name:^7}-{2[1]}'.format('a', 'b', [1, 2], name='n')", "\"a-  'b'-   n   -2\""),
        ("'{:08.3f}{:,}{:#x}'.format(3.14159, 1234567, 255)", "'0003.1421,234,5670xff'"),
        ("f'{1+1}{\"a\"!r:>4}{3:02d}'", "\"2 'a'03\""),
        ("'a' 'b' \"c\"", "'abc'"),
        ("'''a\nb'''", "'a\\nb'"),
        ("r'\\d' + '\\x41\\101\\n'", "'\\\\dAA\\n'"),
        ("`1` + `'a'`", "\"1'a'\""),
        ("str(1.0)+str(0.1+0.2)+repr(0.1+0.2)", "'1.00.30.30000000000000004'"),
        ("u'a' + b'b' + ur'c'", "'abc'"),
    ] {
        is(&format!("x = {text}"), wanted);
    }
}

#[test]
fn sequences_are_sliced_and_changed() {
    for (text, wanted) in [
        ("x = [1,2,3,4][1:3]", "[2, 3]"),
        ("x = 'hello'[::-1]", "'olleh'"),
        ("x = (1,2,3)[-2:]", "(2, 3)"),
        ("x = range(10)[8:2:-2]", "[8, 6, 4]"),
        ("x = [1,2]; x += (3,); x.append(4); x.insert(0, 0); x[1:3] = ['a']; del x[-1]", "[0, 'a', 3]"),
        ("a = b = []; a.append(1); x = b", "[1]"),
        ("x = [3,1,2]; x.sort(); x.reverse()", "[3, 2, 1]"),
        ("x = sorted(['b','A'], key=str.lower)", "['A', 'b']"),
        ("x = sorted([3,1,2], lambda a, b: b - a)", "[3, 2, 1]"),
        ("x = [1,2,3].index(2), [1,1].count(1), (1,2).index(2)", "(1, 2, 1)"),
        ("x = zip('ab', [1,2,3])", "[('a', 1), ('b', 2)]"),
        ("x = map(None, 'ab', [1])", "[('a', 1), ('b', None)]"),
        ("x = filter(lambda v: v > 1, [1,2,3])", "[2, 3]"),
        ("x = reduce(lambda a, b: a * b, [1,2,3,4])", "24"),
        ("a, (b, c) = 1, [2, 3]; x = c, b, a", "(3, 2, 1)"),
        ("a, *b = 1, 2, 3; x = b", "[2, 3]"),
        ("x = [1] * 3 + [2]", "[1, 1, 1, 2]"),
        ("x = 2 in [1,2], 'b' not in 'abc'", "(True, False)"),
        ("x = list(reversed('abc')), list(enumerate('a', 1))", "(['c', 'b', 'a'], [(1, 'a')])"),
        ("x = min(3,1,2), max('abc'), sum([1,2]), any([0,1]), all([])", "(1, 'c', 3, True, True)"),
    ] {
        is(text, wanted);
    }
}

#[test]
fn dictionaries_and_sets_keep_what_they_are_given() {
    for (text, wanted) in [
        ("d = {'a': 1, 2: 'b'}; d['c'] = 3; del d['a']; x = d.items()", "[(2, 'b'), ('c', 3)]"),
        (
            "d = {1: 'a'}; x = d[True], d[1.0], d.get(2, 'no'), d.has_key(1), 1 in d",
            "('a', 'a', 'no', True, True)",
        ),
        ("x = sorted(dict(a=1, **{'b': 2}).items())", "[('a', 1), ('b', 2)]"),
        ("d = {}; d.setdefault('k', []).append(1); x = d", "{'k': [1]}"),
        ("x = {i: i*i for i in range(3)}", "{0: 0, 1: 1, 2: 4}"),
        ("x = sorted(set([1,2,2]) | {3})", "[1, 2, 3]"),
        ("x = dict(zip('ab', (1, 2))).pop('b')", "2"),
        ("x = {1,2} <= {1,2,3}, set('ab') == set('ba')", "(True, True)"),
        ("d = {'a': 1}; d.update({'b': 2}, c=3); x = sorted(d.keys())", "['a', 'b', 'c']"),
    ] {
        is(text, wanted);
    }
}

#[test]
fn control_flow_is_complete() {
    for (text, wanted) in [
        (
            "x = []\nfor i in range(5):\n    if i == 1: continue\n    elif i == 4: break\n    x.append(i)\nelse:\n    x = None",
            "[0, 2, 3]",
        ),
        ("x = 0\nwhile x < 3:\n    x += 1\nelse:\n    x = 'done'", "'done'"),
        ("x = ['%s%d' % (c, i) for c in 'ab' for i in range(3) if i != 1]", "['a0', 'a2', 'b0', 'b2']"),
        ("[i for i in range(3)]; x = i", "2"),
        ("i = 'kept'; list(i for i in range(3)); x = i", "'kept'"),
        ("g = (i for i in [1,2]); x = g.next(), list(g)", "(1, [2])"),
        (
            "try:\n    x = 1/0\nexcept ZeroDivisionError, e:\n    x = str(e)",
            "'integer division or modulo by zero'",
        ),
        (
            "x = []\ntry:\n    try:\n        {}['k']\n    except (IndexError, KeyError) as e:\n        x.append(repr(e))\n        raise\n    finally:\n        x.append('f')\nexcept LookupError:\n    x.append('l')",
            "[\"KeyError('k',)\", 'f', 'l']",
        ),
        (
            "def f():\n    try:\n        return 1\n    finally:\n        global y\n        y = 2\nx = f(), y",
            "(1, 2)",
        ),
        (
            "try:\n    raise ValueError, 'text'\nexcept StandardError, e:\n    x = e.args, e.message, e[0]",
            "(('text',), 'text', 'text')",
        ),
        ("try:\n    assert 0, 'no'\nexcept AssertionError, e:\n    x = str(e)", "'no'"),
        ("x = 1; y = 2; print 'a', 'b'; print >>sys.stderr, 'c'; exec 'x = x + y'", "3"),
    ] {
        is(text, wanted);
    }
}

#[test]
fn functions_take_all_kinds_of_arguments() {
    for (text, wanted) in [
        (
            "def f(a, b=2, *c, **d): return a, b, c, d\nx = f(1), f(1, 3, 4, k=5), f(*[1, 2], **{'z': 3})",
            "((1, 2, (), {}), (1, 3, (4,), {'k': 5}), (1, 2, (), {'z': 3}))",
        ),
        (
            "def counter():\n    n = [0]\n    def inc():\n        n[0] += 1\n        return n[0]\n    return inc\nc = counter(); c(); x = c()",
            "2",
        ),
        (
            "def f():\n    k = 1\n    def g():\n        nonlocal k\n        k += 1\n    g()\n    return k\nx = f()",
            "2",
        ),
        ("base = 10\ndef f(n): return base + n\nx = f(1)", "11"),
        ("x = (lambda a, b=3: a * b)(2)", "6"),
        ("def fib(n): return n if n < 2 else fib(n-1) + fib(n-2)\nx = fib(10)", "55"),
        ("k = 2\ndef f(n): return eval('n + k'), sorted(locals())\nx = f(1)", "(3, ['n'])"),
        ("def f(a, *, k=1): return a + k\nx = f(1, k=2)", "3"),
        ("fs = [lambda i=i: i for i in range(3)]; x = [f() for f in fs]", "[0, 1, 2]"),
    ] {
        is(text, wanted);
    }
    for (text, message) in [
        ("def f(a): pass\nf()", "f() takes exactly 1 argument (0 given)"),
        ("def f(a, b=1): pass\nf(1, 2, 3)", "f() takes at most 2 arguments (3 given)"),
        ("def f(): pass\nf(1)", "f() takes no arguments (1 given)"),
        ("def f(a): pass\nf(b=1)", "f() got an unexpected keyword argument 'b'"),
        ("int(None)", "int() argument must be a string or a number, not 'NoneType'"),
        ("int('x')", "invalid literal for int() with base 10: 'x'"),
        ("'a' + 1", "cannot concatenate 'str' and 'int' objects"),
        ("1 + 'a'", "unsupported operand type(s) for +: 'int' and 'str'"),
        ("'%d' % 'a'", "%d format: a number is required, not str"),
        ("'%s %s' % 1", "not enough arguments for format string"),
        ("'%s' % (1, 2)", "not all arguments converted during string formatting"),
        ("[][0]", "list index out of range"),
        ("{}['a']", "'a'"),
        ("a, b = 1, 2, 3", "too many values to unpack"),
        ("a, b = 1,", "need more than 1 value to unpack"),
        ("None()", "'NoneType' object is not callable"),
        ("os.nothing", "'module' object has no attribute 'nothing'"),
        ("import nothing", "No module named nothing"),
        ("def f():\n    x = y\n    y = 1\nf()", "local variable 'y' referenced before assignment"),
        ("def f(): return z\nf()", "global name 'z' is not defined"),
    ] {
        assert_eq!(fault(text).message, message, "{text}");
    }
}

#[test]
fn modules_have_what_configurations_use() {
    for (text, wanted) in [
        (
            "import os\nx = os.uname()[4], os.environ.get('HOME'), os.getenv('A', 'b'), os.path.exists('/etc')",
            "('x86_64', None, 'b', False)",
        ),
        (
            "import os.path\nx = os.path.join('/a', 'b', '../c'), os.path.basename('/a/b.cfg'), os.path.splitext('b.cfg')",
            "('/a/b/../c', 'b.cfg', ('b', '.cfg'))",
        ),
        ("from os.path import dirname as d\nx = d('/a/b')", "'/a'"),
        (
            "import re\nx = re.search('(\\\\d+)$', 'web12').group(1), re.sub('[aeiou]', '', 'domain'), re.split(',\\\\s*', 'a, b,c')",
            "('12', 'dmn', ['a', 'b', 'c'])",
        ),
        (
            "import re\nm = re.match(r'(?P<k>\\w+)=(\\w*)', 'a=b'); x = m.groups(), m.groupdict(), m.span(2), re.findall('a.', 'abac')",
            "(('a', 'b'), {'k': 'a'}, (2, 3), ['ab', 'ac'])",
        ),
        (
            "import string\nx = string.join(['a','b'], '-'), string.upper('a'), string.split('a b'), string.letters[:3]",
            "('a-b', 'A', ['a', 'b'], 'abc')",
        ),
        (
            "x = inet_ntoa(inet_aton('10.0.0.1') + 1), add_offset_to_ip('10.0.0.255', 1), check_subnet('10.0.0.1', '10.0.0.0', '255.255.255.0')",
            "('10.0.0.2', '10.0.1.0', True)",
        ),
        ("from xen.util.ip import *\nx = get_defaultroute(), get_current_ipaddr()", "([None, None], None)"),
        (
            "import math, random, time, socket\nx = math.floor(2.5), random.randint(1, 1), socket.gethostname()",
            "(2.0, 1, 'localhost')",
        ),
        ("x = __name__, xm_file, xm_help, sys.version_info[0]", "('__builtin__', 'test.cfg', 0, 2)"),
        ("x = 'a' in globals(), sorted(locals().keys())[:1]\na = 1", "(False, [])"),
    ] {
        is(text, wanted);
    }
}

#[test]
fn variables_are_declared_and_checked_as_the_shipped_examples_do() {
    let script = "def check(var, val):\n    val = int(val)\n    if val <= 0:\n        raise ValueError\n    return val\n\
                  xm_vars.var('vmid', use=\"number of the guest\", check=check)\nxm_vars.check()\nname = \"VM%d\" % vmid\n";
    let with = |value: &str| {
        let script = xmpy::Script { name: "xmexample2", text: script.as_bytes() };
        xmpy::run(&script, &[("vmid".to_owned(), value.into())], &xmpy::Sealed, &xmpy::Limits::default())
    };
    assert_eq!(with("3").expect("runs").get("name"), Some(&"VM3".into()));
    let fault = with("0").expect_err("not positive");
    assert_eq!((fault.kind, fault.message.as_str(), fault.line), (Kind::Raised("ValueError"), "vmid - ", 4));
    assert_eq!(
        common::fault(script).message,
        "vmid - int() argument must be a string or a number, not 'NoneType'"
    );
}

#[test]
fn a_script_may_end_itself() {
    assert_eq!(fault("import sys\nsys.exit(3)").kind, Kind::Exit(3));
    assert_eq!(fault("raise SystemExit, 'sorry'").message, "sorry");
}

#[test]
fn files_of_xl_are_taken() {
    is("  x = [ 'a', \"b\",\n]; y = 0x10\nx += [ 'c' ]\n    z = 'indented'", "['a', 'b', 'c']");
    is("x += [ 'first' ]", "['first']");
}
