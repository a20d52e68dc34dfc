//! A script as it is evaluated: the parser's tree without what is not supported, with every name resolved to a place.
//!
//! Its depth is bounded by [`crate::scan::MAX_NESTING`].

use std::rc::Rc;

use crate::object::Object;
use crate::source::Span;
use crate::text::Text;

pub(crate) type Name = Rc<Text>;
pub(crate) type Block = Vec<Stmt>;

/// Where a name's value is kept.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In the scope of a function, `up` functions outwards, in this slot.
    Local { up: u16, slot: u16, name: Name },
    /// Among the names of the file, or Python's own.
    Global(Name),
}

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) span: Span,
    pub(crate) kind: ExprKind,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Constant(Object),
    Name(Place),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Set(Vec<Expr>),
    /// No key: `**value`.
    Dict(Vec<(Option<Expr>, Expr)>),
    /// `*value` in a list, tuple, set or call.
    Star(Box<Expr>),
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<(Expr, Expr)>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Box<Expr>, Vec<(CompareOp, Expr)>),
    /// Test, then, else.
    IfElse(Box<(Expr, Expr, Expr)>),
    Call(Box<Call>),
    Attribute(Box<Expr>, Name),
    Index(Box<(Expr, Expr)>),
    Slice(Box<[Option<Expr>; 3]>),
    Lambda(Rc<Function>),
    Comprehension(Rc<Comprehension>),
    /// An f-string.
    Format(Vec<Piece>),
    /// `name := value`
    Named(Place, Box<Expr>),
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: Expr,
    pub(crate) positional: Vec<Expr>,
    /// No name: `**value`.
    pub(crate) keywords: Vec<(Option<Name>, Expr)>,
}

/// A part of an f-string.
#[derive(Debug)]
pub(crate) enum Piece {
    Text(Name),
    Value { value: Expr, conversion: Option<char>, spec: Vec<Piece> },
}

#[derive(Debug)]
pub(crate) struct Comprehension {
    pub(crate) what: What,
    pub(crate) element: Expr,
    /// Of a dictionary: `element` is the key.
    pub(crate) value: Option<Expr>,
    pub(crate) clauses: Vec<Clause>,
    /// Slots of its own scope. A list's has none: as in Python 2 its names are those of what is around it.
    pub(crate) slots: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    List,
    Set,
    Dict,
    Generator,
}

#[derive(Debug)]
pub(crate) struct Clause {
    pub(crate) target: Target,
    /// The first clause's is evaluated outside of the comprehension's scope.
    pub(crate) iterable: Expr,
    pub(crate) conditions: Vec<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnaryOp {
    Invert,
    Not,
    Plus,
    Minus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    /// `/` as in Python 2: the floor of two integers.
    Slash,
    /// `/` after `from __future__ import division`.
    Div,
    FloorDiv,
    Mod,
    Pow,
    ShiftLeft,
    ShiftRight,
    Or,
    Xor,
    And,
}

impl BinaryOp {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Slash | Self::Div => "/",
            Self::FloorDiv => "//",
            Self::Mod => "%",
            Self::Pow => "** or pow()",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Or => "|",
            Self::Xor => "^",
            Self::And => "&",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Is,
    IsNot,
    In,
    NotIn,
}

#[derive(Debug)]
pub(crate) struct Stmt {
    pub(crate) span: Span,
    pub(crate) kind: StmtKind,
}

#[derive(Debug)]
pub(crate) enum StmtKind {
    Expr(Expr),
    Assign(Vec<Target>, Expr),
    AugAssign(Target, BinaryOp, Expr),
    /// Tests and blocks, then what is done if none holds.
    If(Vec<(Expr, Block)>, Block),
    While(Expr, Block, Block),
    For(Target, Expr, Block, Block),
    Def(Place, Rc<Function>),
    Return(Option<Expr>),
    Raise(Option<Expr>),
    Try(Box<Try>),
    Assert(Expr, Option<Expr>),
    Delete(Vec<Target>),
    /// Dotted name, the place for the result, and whether that is the last module named (`as`) or the first.
    Import(String, Place, bool),
    /// Dotted name, and which of its names go where.
    ImportFrom(String, Vec<(Name, Place)>),
    /// Dotted name; all of its names become globals.
    ImportStar(String),
    With(Vec<(Expr, Option<Target>)>, Block),
    Break,
    Continue,
    Pass,
}

#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) body: Block,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) otherwise: Block,
    pub(crate) finally: Block,
}

#[derive(Debug)]
pub(crate) struct Handler {
    pub(crate) class: Option<Expr>,
    pub(crate) name: Option<Place>,
    pub(crate) body: Block,
}

/// What can be assigned to.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) span: Span,
    pub(crate) kind: TargetKind,
}

#[derive(Debug)]
pub(crate) enum TargetKind {
    Name(Place),
    Attribute(Box<Expr>, Name),
    Index(Box<(Expr, Expr)>),
    /// Several; the one that takes all that the others do not is starred.
    Unpack(Vec<Target>, Option<usize>),
}

/// A function's text: what `def` and `lambda` make a value of.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: Name,
    /// Those that take arguments by position come first; they have the first slots.
    pub(crate) parameters: Vec<Parameter>,
    /// How many take arguments by position.
    pub(crate) positional: usize,
    /// The slot of `*args`.
    pub(crate) rest: Option<u16>,
    /// The slot of `**kw`.
    pub(crate) rest_keywords: Option<u16>,
    pub(crate) slots: Vec<Name>,
    pub(crate) body: Block,
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: Name,
    pub(crate) slot: u16,
    /// Evaluated where the function is defined.
    pub(crate) default: Option<Expr>,
}

/// A whole file.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) body: Block,
}
