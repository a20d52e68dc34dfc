//! Hostile and broken scripts: each ends soon, with an error that says what and where.

mod common;

use common::{fault, run};
use xmpy::{Kind, Limit, Limits, Script, Sealed};

/// Asserts that a script reaches a limit, and names the place.
fn reaches(text: &str, wanted: fn(Limit) -> bool) {
    let fault = fault(text);
    match fault.kind {
        Kind::Limit(limit) if wanted(limit) => {}
        _ => panic!("{}:\n{fault}", text.chars().take(80).collect::<String>()),
    }
}

#[test]
fn an_endless_loop_ends_by_its_steps() {
    for text in [
        "while True: pass",
        "x = []\nfor i in [1]:\n    x = x\nwhile 1:\n    try:\n        y\n    except:\n        pass",
        "l = [0]\nfor x in l: l.append(x)",
        "while 1:\n    try:\n        raise ValueError\n    finally:\n        continue",
        "def f():\n    while True:\n        yield_ = 1\nf()",
    ] {
        reaches(text, |limit| matches!(limit, Limit::Steps(_) | Limit::Memory(_)));
    }
}

#[test]
fn a_limit_cannot_be_caught() {
    reaches("try:\n    while 1: pass\nexcept:\n    x = 1\nfinally:\n    x = 2", |limit| {
        matches!(limit, Limit::Steps(_))
    });
}

#[test]
fn endless_recursion_ends_by_its_calls() {
    for text in [
        "def f(x): return f(x)\nf(1)",
        "f = lambda: f()\nf()",
        "def f(): return g()\ndef g(): return f()\nf()",
        "def f(a): return [f(a) for x in [1]]\nf(1)",
        "def f(a): return sorted([1, 2], key=f)\nf(1)",
        "def f(a): return map(f, [a])\nf(1)",
        "def f(v, x): xm_vars.check()\nxm_vars.var('a', check=f)\nxm_vars.check()",
    ] {
        reaches(text, |limit| matches!(limit, Limit::Calls(_)));
    }
}

#[test]
fn texts_that_run_themselves_end() {
    reaches("c = 'exec(c)'\nexec(c)", |limit| matches!(limit, Limit::Includes(_)));
    reaches("c = 'eval(c)'\neval(c)", |limit| matches!(limit, Limit::Includes(_)));
}

#[test]
fn what_would_fill_memory_is_refused_before_it_is_made() {
    for text in [
        "x = 'a' * 10**10",
        "x = [0] * 10**10",
        "x = (0,) * 10**12",
        "x = 'a'\nwhile 1: x = x + x",
        "x = 'a'\nwhile 1: x += x",
        "x = [1]\nwhile 1: x += x",
        "x = [1]\nwhile 1: x.extend(x)",
        "x = range(10**12)",
        "x = list(xrange(10**12))",
        "x = '%1000000000d' % 1",
        "x = '%*d' % (10**9, 1)",
        "x = '%.1000000000d' % 1",
        "x = '{:1000000000}'.format(1)",
        "x = f'{1:1000000000}'",
        "x = 'a'.ljust(10**10)",
        "x = 'a'.center(10**10)",
        "x = '1'.zfill(10**10)",
        "x = '\\t'.expandtabs(10**10)",
        "x = ('a' * 10**6).replace('a', 'b' * 10**6)",
        "x = ('b' * 10**6).join(['a'] * 10**6)",
        "import re\nx = re.sub('a', 'b' * 10**6, 'a' * 10**5)",
        "x = []\nfor i in range(100): x = [x, x]\ny = repr(x)",
        "x = ()\nfor i in range(100): x = (x, x)\ny = {x: 1}",
        "x = []\nfor i in range(60): x = [x, x]\ny = x == [] or str(x)",
        "x = {}\nwhile 1: x[len(x)] = x",
        "x = set()\nwhile 1: x.add(len(x))",
        "x = []\nwhile 1: x = [x]",
        "x = [y for y in xrange(10**9)]",
        "x = tuple(y for y in xrange(10**9))",
        "x = zip(*[range(1000)] * 10**5)",
        "x = 'x'\nwhile 1: x = `x`",
        "print('a' * 10**7 * 7)",
    ] {
        reaches(text, |limit| matches!(limit, Limit::Memory(_) | Limit::Steps(_)));
    }
}

#[test]
fn numbers_of_endless_digits_are_refused() {
    for text in [
        "x = 10**10**10",
        "x = 1 << 10**10",
        "x = 2\nwhile 1: x = x * x",
        "x = -3 ** 10**9",
        "x = pow(3, 10**8)",
    ] {
        reaches(text, |limit| matches!(limit, Limit::Integer(_)));
    }
    let digits = fault(&format!("x = {}", "9".repeat(100_000)));
    assert_eq!(digits.kind, Kind::Syntax, "{digits}");
    let text = format!("x = int('{}')", "9".repeat(100_000));
    assert!(matches!(fault(&text).kind, Kind::Limit(_)));
}

#[test]
fn deep_nesting_is_refused_before_it_is_parsed() {
    let deep = 50_000;
    for text in [
        format!("x = {}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("x = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("x = {}", "[".repeat(deep)),
        format!("x = {}1", "-".repeat(deep)),
        format!("x = {}1", "not ".repeat(deep)),
        format!("x = {}1", "1 + ".repeat(deep)),
        format!("x = {}1", "2 ** ".repeat(deep)),
        format!("x = {}1", "lambda: ".repeat(deep)),
        format!("x = {}1", "1 if 1 else ".repeat(deep)),
        format!("x = a{}", ".b".repeat(deep)),
        format!("x = a{}", "[0]".repeat(deep)),
        format!("x = a{}", "()".repeat(deep)),
        format!("x = {}1", "x = ".repeat(deep)),
        format!("x = f'{{{}1{}}}'", "(".repeat(deep), ")".repeat(deep)),
        (0..1000).map(|n| format!("{}if 1:\n", " ".repeat(n))).collect(),
        format!("x = {}1{}", "`".repeat(deep), "`".repeat(deep)),
        format!("x = {}1{}", "{1:".repeat(deep), "}".repeat(deep)),
        format!("x = {}", "lambda a,:".repeat(deep)),
        format!("@{}x\ndef f(): pass", "a.".repeat(deep)),
    ] {
        let fault = fault(&text);
        assert!(
            matches!(fault.kind, Kind::Limit(Limit::Nesting(_))),
            "{}: {}",
            text.chars().take(40).collect::<String>(),
            fault.message
        );
    }
}

#[test]
fn values_that_contain_themselves_are_shown_and_dropped() {
    let names = run("x = [1]\nx.append(x)\ny = repr(x)\nd = {}\nd['d'] = d\nz = str(d)\nw = x == x");
    assert_eq!(names.get("y"), Some(&"[1, [...]]".into()));
    assert_eq!(names.get("z"), Some(&"{'d': {...}}".into()));
    reaches("x = []\nx.append(x)\ny = []\ny.append(y)\nx == y", |limit| matches!(limit, Limit::Values(_)));
    // A long chain is not dropped one within the other.
    run("x = []\nfor i in range(50000): x = [x]\nx = 0");
}

#[test]
fn the_stack_holds_what_the_limits_allow() {
    // Each level of the recursion is as deep in itself as the text may be nested.
    for inner in [
        "-".repeat(150) + "f(n)",
        format!("{}f(n){}", "[".repeat(150), "]".repeat(150)),
        format!("{}f(n){}", "{1:".repeat(150), "}".repeat(150)),
        format!("{}f(n){}", "str(".repeat(150), ")".repeat(150)),
        format!("{}f(n){}", "[x for x in ".repeat(40), "]".repeat(40)),
        format!("{}f(n){}", "list(x for x in ".repeat(40), ")".repeat(40)),
        format!("{}f(n){}", "(lambda: ".repeat(40), ")()".repeat(40)),
        format!("{}f(n){}", "sorted([1], key=lambda x: ".repeat(40), ")".repeat(40)),
        format!("{}f(n){}", "'%s' % (".repeat(100), ")".repeat(100)),
        "0 or ".repeat(10) + "f(n)" + &".a".repeat(100) + &"[0]".repeat(100),
        "eval('f(n)')".to_owned(),
    ] {
        reaches(&format!("def f(n): return {inner}\nf(1)"), |limit| {
            matches!(limit, Limit::Depth(_) | Limit::Calls(_) | Limit::Includes(_))
        });
    }
}

#[test]
fn patterns_do_not_take_more_than_they_may() {
    let names = run(
        "import re\nx = re.search('(a+)+$', 'a' * 500 + 'b')\ny = re.match('(x+x+)+y', 'x' * 500) is None",
    );
    assert_eq!(names.get("x"), Some(&xmpy::Value::None));
    for text in [
        "import re\nre.compile('(((a{100}){100}){100}){100}')",
        "import re\nre.compile('(' * 1000 + ')' * 1000)",
        "import re\nre.compile('a' * 10**6)",
        "import re\nwhile 1: re.search('(a|b|c)*d', 'abc' * 10000)",
    ] {
        let fault = fault(text);
        assert!(matches!(fault.kind, Kind::Limit(_) | Kind::Raised("error")), "{fault}");
    }
}

#[test]
fn unknown_names_are_named_with_their_place() {
    let fault = fault("memory = 64\ndisk = [ 'phy:x', foo ]\n");
    assert_eq!(fault.kind, Kind::Raised("NameError"));
    assert_eq!((fault.line, fault.column, fault.width), (2, 19, 3));
    assert_eq!(fault.message, "name 'foo' is not defined");
    assert!(
        fault.to_string().contains("disk = [ 'phy:x', foo ]\n                      ^^^\nNameError"),
        "{fault}"
    );
}

#[test]
fn nul_and_bytes_that_are_no_text_are_refused_with_their_place() {
    let limits = Limits::default();
    for (bytes, line, column) in [
        (&b"a = 1\nb = \0"[..], 2, 5),
        (b"name = 'caf\xe9'", 1, 12),
        (b"\xff\xfe\0x\0", 1, 3),
        (b"# coding: utf-8\nx = '\x80'", 2, 6),
    ] {
        let fault = xmpy::run(&Script { name: "t", text: bytes }, &[], &Sealed, &limits).expect_err("broken");
        assert_eq!((fault.kind.clone(), fault.line, fault.column), (Kind::Syntax, line, column), "{fault}");
    }
}

#[test]
fn a_text_that_is_too_long_is_refused() {
    let text = "x = 1\n".repeat(200_000);
    assert!(matches!(fault(&text).kind, Kind::Limit(Limit::Source(_))));
}

#[test]
fn broken_syntax_is_named_with_its_place() {
    for (text, line) in [
        ("x = (1,\n", 2),
        ("x = 1\nif x\n  y = 1\n", 2),
        ("x = 'abc\ny = 1\n", 1),
        ("x = 089", 1),
        ("x = 1 +* 2", 1),
        ("def f(:\n  pass", 1),
        ("return 1", 1),
        ("break", 1),
        ("class A: pass", 1),
        ("if 1:\n  x = 1\n y = 2", 3),
        ("@x\ndef f(): pass", 1),
        ("def f():\n  yield 1", 2),
        ("x = $y", 1),
        ("`1", 1),
    ] {
        let fault = fault(text);
        assert_eq!((fault.kind.clone(), fault.line), (Kind::Syntax, line), "{text}\n{fault}");
    }
}

#[test]
fn nothing_of_the_machine_is_touched_without_leave() {
    for text in [
        "import os\nos.popen('id')",
        "import os\nos.system('id')",
        "import commands\ncommands.getoutput('id')",
        "open('/etc/passwd')",
        "execfile('/etc/passwd')",
        "exec open('/etc/passwd')",
        "import os\nos.listdir('/')",
    ] {
        let fault = fault(text);
        assert_eq!(fault.kind, Kind::Denied, "{fault}");
    }
    // Where a script is ready for it, it goes on.
    let names = run("try:\n    execfile('/etc/xen/common')\nexcept IOError, e:\n    x = 'none'");
    assert_eq!(names.get("x"), Some(&"none".into()));
    for text in [
        "import subprocess",
        "import ctypes",
        "import socket\nsocket.socket()",
        "open('/tmp/x', 'w')",
        "x = raw_input()",
    ] {
        assert!(matches!(fault(text).kind, Kind::Raised(_)), "{text}");
    }
}
