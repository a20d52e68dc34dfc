//! Makes programs up: statements that configurations might have, over variables of known types, so that most of them come
//! to their end. What may fail is caught, and what it failed with is a variable.

use std::fmt::Write;

/// A source of programs; the same seed gives the same program.
pub(crate) struct Generator {
    state: u64,
    program: String,
    indent: usize,
    /// How many variables of each type there are.
    known: [usize; 6],
    names: usize,
}

/// Types of variables, by which their names begin.
#[derive(Clone, Copy)]
enum Type {
    Int,
    Str,
    Float,
    Ints,
    Strs,
    Dict,
}

const TYPES: [Type; 6] = [Type::Int, Type::Str, Type::Float, Type::Ints, Type::Strs, Type::Dict];
const PREFIXES: [&str; 6] = ["i", "s", "f", "li", "ls", "d"];

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { state, program: String::new(), indent: 0, known: [0; 6], names: 0 }
    }

    pub(crate) fn program(mut self) -> String {
        for of in TYPES {
            self.define(of);
        }
        for _ in 0..10 + self.below(15) {
            self.statement(3);
        }
        self.program
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) as usize % bound
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.program, "{}{text}", "    ".repeat(self.indent));
    }

    /// A number that no other name has.
    fn fresh(&mut self) -> usize {
        self.names += 1;
        self.names
    }

    fn variable(&mut self, of: Type) -> String {
        let at = self.below(self.known[of as usize].max(1));
        format!("{}{at}", PREFIXES[of as usize])
    }

    fn expr(&mut self, of: Type, depth: usize) -> String {
        match of {
            Type::Int => self.int(depth),
            Type::Str => self.str(depth),
            Type::Float => self.float(depth),
            Type::Ints => self.ints(depth),
            Type::Strs => self.strs(depth),
            Type::Dict => self.dict(depth),
        }
    }

    /// Assigns a new variable, first something that cannot fail.
    fn define(&mut self, of: Type) {
        let name = format!("{}{}", PREFIXES[of as usize], self.known[of as usize]);
        let value = self.literal(of);
        self.line(&format!("{name} = {value}"));
        self.known[of as usize] += 1;
    }

    fn literal(&mut self, of: Type) -> String {
        match of {
            Type::Int => {
                let edge = self.pick(&["9223372036854775807", "2147483648", "0x1f", "-7", "0"]).to_owned();
                if self.below(6) == 0 { edge } else { (self.below(60) as i64 - 20).to_string() }
            }
            Type::Str => {
                let parts =
                    ["a", "b1", "xvd", " ", ",", "-", "0", "12", ".", "\\n", "\\t", "Zz", "%%", "'", "\\x41"];
                let len = self.below(5);
                let text: String = (0..len).map(|_| self.pick(&parts)).collect();
                format!("\"{text}\"")
            }
            Type::Float => {
                self.pick(&["0.5", "1.25", "-2.75", "1e3", "0.1", "3.0", "1e-7", "123456.789"]).to_owned()
            }
            Type::Ints => {
                let values: Vec<String> = (0..self.below(5)).map(|_| self.literal(Type::Int)).collect();
                format!("[{}]", values.join(", "))
            }
            Type::Strs => {
                let values: Vec<String> = (0..self.below(4)).map(|_| self.literal(Type::Str)).collect();
                format!("[{}]", values.join(", "))
            }
            Type::Dict => {
                let items: Vec<String> = (0..self.below(4))
                    .map(|_| format!("{}: {}", self.literal(Type::Str), self.literal(Type::Int)))
                    .collect();
                format!("{{{}}}", items.join(", "))
            }
        }
    }

    fn int(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(4) == 0 {
            return if self.below(2) == 0 { self.literal(Type::Int) } else { self.variable(Type::Int) };
        }
        let depth = depth - 1;
        match self.below(16) {
            0..=3 => {
                let op = self.pick(&["+", "-", "*", "//", "/", "%", "&", "|", "^"]);
                format!("({} {op} {})", self.int(depth), self.int(depth))
            }
            4 => format!("len({})", self.str(depth)),
            5 => format!("len({})", self.ints(depth)),
            6 => format!("({}{})", self.pick(&["-", "~", "+"]), self.int(depth)),
            7 => format!("({} {} {})", self.int(depth), self.pick(&["<<", ">>", "**"]), self.below(7)),
            8 => format!("{}({}, {})", self.pick(&["min", "max"]), self.int(depth), self.int(depth)),
            9 => format!("sum({})", self.ints(depth)),
            10 => format!(
                "{}.{}({})",
                self.str(depth),
                self.pick(&["find", "rfind", "count", "index"]),
                self.str(depth)
            ),
            11 => format!("({} if {} else {})", self.int(depth), self.bool(depth), self.int(depth)),
            12 => format!("{}[{}]", self.ints(depth), self.below(5) as i64 - 2),
            13 => format!("{}.get({}, {})", self.dict(depth), self.str(depth), self.int(depth)),
            14 => format!("int({})", self.str(depth)),
            _ => format!("divmod({}, {})[{}]", self.int(depth), self.int(depth), self.below(2)),
        }
    }

    fn str(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(4) == 0 {
            return if self.below(2) == 0 { self.literal(Type::Str) } else { self.variable(Type::Str) };
        }
        let depth = depth - 1;
        match self.below(15) {
            0 => format!("({} + {})", self.str(depth), self.str(depth)),
            1 => format!("({} * {})", self.str(depth), self.below(4)),
            2 => {
                let template = self.pick(&["%d", "v%03d", "%-5d|", "%+d", "%s", "% d", "%5d"]);
                format!("('{template}' % {})", self.int(depth))
            }
            3 => format!("('%s-%d:%r' % ({}, {}, {}))", self.str(depth), self.int(depth), self.str(depth)),
            4 => format!("('%{}f' % {})", self.pick(&["", ".2", "08.3", "+.1", ".0"]), self.float(depth)),
            5 => format!("{}[{}]", self.str(depth), self.slice()),
            6 => {
                let method = self.pick(&[
                    "upper",
                    "lower",
                    "strip",
                    "title",
                    "capitalize",
                    "swapcase",
                    "lstrip",
                    "rstrip",
                    "expandtabs",
                ]);
                format!("{}.{method}()", self.str(depth))
            }
            7 => format!("{}.replace({}, {})", self.str(depth), self.str(depth), self.str(depth)),
            8 => format!(
                "{}.{}({})",
                self.str(depth),
                self.pick(&["ljust", "rjust", "center", "zfill"]),
                self.below(12)
            ),
            9 => format!("{}.join({})", self.str(depth), self.strs(depth)),
            10 => format!("str({})", self.int(depth)),
            11 => format!("repr({})", self.str(depth)),
            12 => format!("'{{0:>{}}}{{1}}'.format({}, {})", self.below(6), self.int(depth), self.str(depth)),
            13 => format!("{}[{}]", self.strs(depth), self.below(4) as i64 - 2),
            _ => format!("({} if {} else {})", self.str(depth), self.bool(depth), self.str(depth)),
        }
    }

    fn float(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(3) == 0 {
            return if self.below(2) == 0 { self.literal(Type::Float) } else { self.variable(Type::Float) };
        }
        let depth = depth - 1;
        match self.below(5) {
            0..=2 => {
                let op = self.pick(&["+", "-", "*", "/", "//", "%"]);
                format!("({} {op} {})", self.float(depth), self.float(depth))
            }
            3 => format!("float({})", self.int(depth)),
            _ => format!("round({}, {})", self.float(depth), self.below(4)),
        }
    }

    fn bool(&mut self, depth: usize) -> String {
        let depth = depth.saturating_sub(1);
        let order = self.pick(&["<", "<=", ">", ">=", "==", "!="]);
        match self.below(9) {
            0 | 1 => format!("({} {order} {})", self.int(depth), self.int(depth)),
            2 => format!("({} {order} {})", self.str(depth), self.str(depth)),
            3 => format!("({} {order} {})", self.ints(depth), self.ints(depth)),
            4 => format!("({} in {})", self.str(depth), self.str(depth)),
            5 => format!("({} not in {})", self.int(depth), self.ints(depth)),
            6 => format!("({} {} not {})", self.int(depth), self.pick(&["and", "or"]), self.str(depth)),
            7 => {
                let test =
                    self.pick(&["isdigit", "isalpha", "isupper", "isspace", "istitle", "islower", "isalnum"]);
                format!("{}.{test}()", self.str(depth))
            }
            _ => {
                format!("{}.{}({})", self.str(depth), self.pick(&["startswith", "endswith"]), self.str(depth))
            }
        }
    }

    fn ints(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(4) == 0 {
            return if self.below(2) == 0 { self.literal(Type::Ints) } else { self.variable(Type::Ints) };
        }
        let depth = depth - 1;
        match self.below(8) {
            0 => format!("({} + {})", self.ints(depth), self.ints(depth)),
            1 => format!("range({}, {}, {})", self.below(5), self.below(15), self.below(5) as i64 - 1),
            2 => format!("{}[{}]", self.ints(depth), self.slice()),
            3 => format!("sorted({})", self.ints(depth)),
            4 => {
                let name = format!("leak{}", self.fresh());
                format!(
                    "[{name} {} for {name} in {} if {name} {} 3]",
                    self.pick(&["* 2", "% 5", "- 1", "// 2"]),
                    self.ints(depth),
                    self.pick(&["<", ">", "!="])
                )
            }
            5 => format!("map(lambda v: v {}, {})", self.pick(&["+ 1", "* v", "& 7"]), self.ints(depth)),
            6 => format!("filter(lambda v: v {}, {})", self.pick(&["> 2", "% 2", "< 0"]), self.ints(depth)),
            _ => format!("list(reversed({}))", self.ints(depth)),
        }
    }

    fn strs(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(4) == 0 {
            return if self.below(2) == 0 { self.literal(Type::Strs) } else { self.variable(Type::Strs) };
        }
        let depth = depth - 1;
        match self.below(8) {
            0 => format!("{}.split()", self.str(depth)),
            1 => format!(
                "{}.{}({}, {})",
                self.str(depth),
                self.pick(&["split", "rsplit"]),
                self.str(depth),
                self.below(3) as i64 - 1
            ),
            2 => format!("list({})", self.str(depth)),
            3 => format!(
                "list({}.{}({}))",
                self.str(depth),
                self.pick(&["partition", "rpartition"]),
                self.str(depth)
            ),
            4 => format!("sorted({})", self.strs(depth)),
            5 => format!("sorted({}.keys())", self.dict(depth)),
            6 => format!("{}.splitlines()", self.str(depth)),
            _ => {
                let name = format!("leak{}", self.fresh());
                format!("['phy:%s,%d' % ({name}, len({name})) for {name} in {}]", self.strs(depth))
            }
        }
    }

    fn dict(&mut self, depth: usize) -> String {
        if depth == 0 || self.below(3) == 0 {
            return if self.below(2) == 0 { self.literal(Type::Dict) } else { self.variable(Type::Dict) };
        }
        let depth = depth - 1;
        match self.below(3) {
            0 => format!("dict(zip({}, {}))", self.strs(depth), self.ints(depth)),
            1 => format!("dict([(v, len(v)) for v in {}])", self.strs(depth)).replace('v', "leak0"),
            _ => format!("{{k: len(k) for k in {}}}", self.strs(depth)),
        }
    }

    fn slice(&mut self) -> String {
        let bound = |this: &mut Self| match this.below(3) {
            0 => String::new(),
            _ => (this.below(9) as i64 - 4).to_string(),
        };
        let (start, stop) = (bound(self), bound(self));
        match self.below(3) {
            0 => format!("{start}:{stop}:{}", self.pick(&["1", "2", "-1", "-2"])),
            _ => format!("{start}:{stop}"),
        }
    }

    fn statement(&mut self, depth: usize) {
        let of = TYPES[self.below(TYPES.len())];
        if depth == 0 {
            return self.caught(of);
        }
        match self.below(12) {
            0..=4 => self.caught(of),
            5 => {
                self.define(of);
                self.caught(of);
            }
            6 => {
                let test = self.bool(2);
                self.line(&format!("if {test}:"));
                self.nested(depth);
                self.line("else:");
                self.nested(depth);
            }
            7 => {
                let (name, count) = (format!("n{}", self.fresh()), self.below(4));
                let kind = self.pick(&["range", "xrange"]);
                self.line(&format!("for {name} in {kind}({count}):"));
                self.indent += 1;
                let value = self.variable(Type::Ints);
                self.line(&format!("{value} = ({value} + [{name}])[-20:]"));
                self.indent -= 1;
                self.nested(depth);
                self.line("else:");
                self.nested(depth);
            }
            8 => {
                let name = format!("w{}", self.fresh());
                self.line(&format!("{name} = {}", self.names % 3));
                self.line(&format!("while {name} > 0:"));
                self.indent += 1;
                self.line(&format!("{name} -= 1"));
                self.indent -= 1;
                self.nested(depth);
            }
            9 => self.function(),
            10 => self.mutation(),
            _ => {
                let (a, b) = (self.variable(Type::Int), self.variable(Type::Int));
                self.line(&format!("{a}, {b} = {b}, {a}"));
            }
        }
    }

    fn nested(&mut self, depth: usize) {
        self.indent += 1;
        for _ in 0..=self.below(2) {
            self.statement(depth - 1);
        }
        self.line("pass");
        self.indent -= 1;
    }

    /// An assignment that may fail: if it does, a variable says how.
    fn caught(&mut self, of: Type) {
        let (name, value, number) = (self.variable(of), self.expr(of, 3), self.fresh());
        let op = match of {
            Type::Int => self.pick(&["=", "=", "+=", "-=", "//=", "%="]),
            Type::Str => self.pick(&["=", "=", "="]),
            _ => "=",
        };
        self.line("try:");
        // Nothing grows without end, whatever loops are around.
        match of {
            Type::Int => self.line(&format!("    {name} {op} {value} % 2147483659")),
            Type::Str | Type::Ints | Type::Strs => self.line(&format!("    {name} {op} ({value})[:40]")),
            _ => self.line(&format!("    {name} {op} {value}")),
        }
        self.line("except Exception as leak:");
        self.line(&format!("    err{number} = leak.__class__.__name__"));
        self.line(&format!("    msg{number} = str(leak)"));
    }

    fn function(&mut self) {
        let (number, default) = (self.fresh(), self.literal(Type::Int));
        let (body, test) = (self.int(2), self.bool(2));
        self.line(&format!("def fun{number}(i0, s0='x', *rest, **named):"));
        self.line(&format!("    if {test}:"));
        self.line("        return s0, rest, sorted(named.items())");
        self.line(&format!("    return {body}, {default}"));
        let (a, b) = (self.int(1), self.str(1));
        let call = match self.below(4) {
            0 => format!("fun{number}({a})"),
            1 => format!("fun{number}({a}, {b}, 1, 2, k={a})"),
            2 => format!("fun{number}(*[{a}, {b}], **{{'z': 1}})"),
            _ => format!("fun{number}(s0={b}, i0={a})"),
        };
        self.line("try:");
        self.line(&format!("    r{number} = {call}"));
        self.line("except Exception as leak:");
        self.line(&format!("    err{number} = leak.__class__.__name__"));
        self.line(&format!("    msg{number} = str(leak)"));
    }

    fn mutation(&mut self) {
        let (list, dict, number) = (self.variable(Type::Ints), self.variable(Type::Dict), self.fresh());
        let (int, str) = (self.int(1), self.str(1));
        let at = self.below(5) as i64 - 2;
        let change = match self.below(12) {
            0 => format!("{list}.append({int})"),
            1 => format!("{list}.insert({at}, {int})"),
            2 => format!("m{number} = {list}.pop()"),
            3 => format!("{list}.remove({int})"),
            4 => format!("{list}.sort(); {list}.reverse()"),
            5 => format!("{list}[{at}] = {int}"),
            6 => format!("{list}[{}] = {}", self.slice(), self.ints(1)),
            7 => format!("del {list}[{}]", self.slice()),
            8 => format!("{dict}[{str}] = {int}"),
            9 => format!("del {dict}[{str}]"),
            10 => format!("m{number} = {dict}.setdefault({str}, {int})"),
            _ => format!("{dict}.update({}); {list} *= 2; del {list}[20:]", self.dict(1)),
        };
        self.line("try:");
        self.line(&format!("    {change}"));
        self.line("except Exception as leak:");
        self.line(&format!("    err{number} = leak.__class__.__name__"));
        self.line(&format!("    msg{number} = str(leak)"));
    }
}
