//! Expressions.

use ruff_python_ast::{
    self as ruff, CmpOp, ConversionFlag, FStringPart, InterpolatedStringElement, Number, Operator,
};
use ruff_text_size::Ranged;

use super::function::Body;
use super::names;
use super::{Lowered, Lowerer};
use crate::ast::{BinaryOp, Call, CompareOp, Expr, ExprKind, Piece, UnaryOp, What};
use crate::number;
use crate::object::Object;

impl Lowerer<'_> {
    pub(super) fn expr(&mut self, expr: &ruff::Expr) -> Lowered<Expr> {
        let kind = self.expr_kind(expr)?;
        Ok(Expr { span: self.span(expr), kind })
    }

    fn exprs(&mut self, exprs: &[ruff::Expr]) -> Lowered<Vec<Expr>> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn boxed(&mut self, expr: &ruff::Expr) -> Lowered<Box<Expr>> {
        self.expr(expr).map(Box::new)
    }

    fn expr_kind(&mut self, expr: &ruff::Expr) -> Lowered<ExprKind> {
        Ok(match expr {
            ruff::Expr::BoolOp(op) => {
                let values = self.exprs(&op.values)?;
                match op.op {
                    ruff::BoolOp::And => ExprKind::And(values),
                    ruff::BoolOp::Or => ExprKind::Or(values),
                }
            }
            ruff::Expr::Named(named) => {
                let value = self.boxed(&named.value)?;
                let ruff::Expr::Name(name) = &*named.target else {
                    return self.refuse(named, "cannot use := on this");
                };
                ExprKind::Named(self.scopes.resolve(&name.id), value)
            }
            ruff::Expr::BinOp(op) => {
                let operator = self.binary(op, op.op)?;
                ExprKind::Binary(operator, Box::new((self.expr(&op.left)?, self.expr(&op.right)?)))
            }
            ruff::Expr::UnaryOp(op) => self.unary(op)?,
            ruff::Expr::Lambda(lambda) => {
                let body = Body::Expr(&lambda.body);
                ExprKind::Lambda(self.function("<lambda>", lambda.parameters.as_deref(), body)?)
            }
            ruff::Expr::If(choice) => {
                let (test, then) = (self.expr(&choice.test)?, self.expr(&choice.body)?);
                ExprKind::IfElse(Box::new((test, then, self.expr(&choice.orelse)?)))
            }
            ruff::Expr::Dict(dict) => {
                let mut items = Vec::with_capacity(dict.items.len());
                for item in &dict.items {
                    let key = item.key.as_ref().map(|key| self.expr(key)).transpose()?;
                    items.push((key, self.expr(&item.value)?));
                }
                ExprKind::Dict(items)
            }
            ruff::Expr::Set(set) => ExprKind::Set(self.exprs(&set.elts)?),
            ruff::Expr::List(list) => ExprKind::List(self.exprs(&list.elts)?),
            ruff::Expr::Tuple(tuple) => ExprKind::Tuple(self.exprs(&tuple.elts)?),
            ruff::Expr::Starred(star) => ExprKind::Star(self.boxed(&star.value)?),
            ruff::Expr::ListComp(comp) => {
                self.comprehension(What::List, &comp.elt, None, &comp.generators)?
            }
            ruff::Expr::SetComp(comp) => self.comprehension(What::Set, &comp.elt, None, &comp.generators)?,
            ruff::Expr::Generator(comp) => {
                self.comprehension(What::Generator, &comp.elt, None, &comp.generators)?
            }
            ruff::Expr::DictComp(comp) => {
                let Some(key) = comp.key.as_deref() else {
                    return self.refuse(comp, "** in a comprehension is not supported");
                };
                self.comprehension(What::Dict, key, Some(&comp.value), &comp.generators)?
            }
            ruff::Expr::Compare(compare) => {
                let left = self.boxed(&compare.left)?;
                let right = self.exprs(&compare.comparators)?;
                ExprKind::Compare(left, compare.ops.iter().map(compare_op).zip(right).collect())
            }
            ruff::Expr::Call(call) => self.call(call)?,
            ruff::Expr::FString(fstring) => self.fstring(fstring)?,
            ruff::Expr::StringLiteral(literal) => ExprKind::Constant(Object::text(literal.value.to_str())),
            // Python 2's strings are bytes.
            ruff::Expr::BytesLiteral(literal) => {
                let text: String = literal.value.bytes().map(char::from).collect();
                ExprKind::Constant(Object::text(text))
            }
            ruff::Expr::NumberLiteral(literal) => self.number(literal)?,
            ruff::Expr::BooleanLiteral(literal) => ExprKind::Constant(Object::Bool(literal.value)),
            ruff::Expr::NoneLiteral(_) => ExprKind::Constant(Object::None),
            ruff::Expr::Attribute(attribute) => {
                ExprKind::Attribute(self.boxed(&attribute.value)?, names::name(attribute.attr.as_str()))
            }
            ruff::Expr::Subscript(subscript) => {
                ExprKind::Index(Box::new((self.expr(&subscript.value)?, self.expr(&subscript.slice)?)))
            }
            ruff::Expr::Slice(slice) => {
                let mut part =
                    |of: &Option<Box<ruff::Expr>>| of.as_deref().map(|of| self.expr(of)).transpose();
                ExprKind::Slice(Box::new([part(&slice.lower)?, part(&slice.upper)?, part(&slice.step)?]))
            }
            ruff::Expr::Name(name) => ExprKind::Name(self.scopes.resolve(&name.id)),
            ruff::Expr::Yield(_) | ruff::Expr::YieldFrom(_) => {
                return self.refuse(expr, "generator functions (yield) are not supported in configurations");
            }
            ruff::Expr::Await(_)
            | ruff::Expr::TString(_)
            | ruff::Expr::EllipsisLiteral(_)
            | ruff::Expr::IpyEscapeCommand(_) => {
                return self.refuse(expr, "this expression is not supported in configurations");
            }
        })
    }

    pub(super) fn binary(&self, at: impl Ranged, op: Operator) -> Lowered<BinaryOp> {
        Ok(match op {
            Operator::Add => BinaryOp::Add,
            Operator::Sub => BinaryOp::Sub,
            Operator::Mult => BinaryOp::Mul,
            Operator::Div if self.true_division => BinaryOp::Div,
            Operator::Div => BinaryOp::Slash,
            Operator::Mod => BinaryOp::Mod,
            Operator::Pow => BinaryOp::Pow,
            Operator::LShift => BinaryOp::ShiftLeft,
            Operator::RShift => BinaryOp::ShiftRight,
            Operator::BitOr => BinaryOp::Or,
            Operator::BitXor => BinaryOp::Xor,
            Operator::BitAnd => BinaryOp::And,
            Operator::FloorDiv => BinaryOp::FloorDiv,
            Operator::MatMult => return self.refuse(at, "the operator @ is not supported"),
        })
    }

    fn unary(&mut self, op: &ruff::ExprUnaryOp) -> Lowered<ExprKind> {
        let operator = match op.op {
            ruff::UnaryOp::Invert => UnaryOp::Invert,
            ruff::UnaryOp::Not => UnaryOp::Not,
            ruff::UnaryOp::UAdd => UnaryOp::Plus,
            ruff::UnaryOp::USub => UnaryOp::Minus,
        };
        let operand = self.expr(&op.operand)?;
        Ok(match (operator, &operand.kind) {
            // The least int is written as the negative of what no int can hold.
            (UnaryOp::Minus, ExprKind::Constant(Object::Long(long)))
                if number::is_least_int_negated(long) =>
            {
                ExprKind::Constant(Object::Int(i64::MIN))
            }
            _ => ExprKind::Unary(operator, Box::new(operand)),
        })
    }

    fn call(&mut self, call: &ruff::ExprCall) -> Lowered<ExprKind> {
        let function = self.expr(&call.func)?;
        let positional = self.exprs(&call.arguments.args)?;
        let mut keywords = Vec::with_capacity(call.arguments.keywords.len());
        for keyword in &call.arguments.keywords {
            let name = keyword.arg.as_ref().map(|arg| names::name(arg.as_str()));
            keywords.push((name, self.expr(&keyword.value)?));
        }
        Ok(ExprKind::Call(Box::new(Call { function, positional, keywords })))
    }

    fn number(&mut self, literal: &ruff::ExprNumberLiteral) -> Lowered<ExprKind> {
        let span = self.span(literal);
        let object = match &literal.value {
            Number::Int(int) => match int.as_i64() {
                Some(int) if !self.modern.longs.contains(&span.start) => Object::Int(int),
                _ => {
                    let text = &self.modern.text[literal.start().to_usize()..literal.end().to_usize()];
                    match number::parse_literal(text) {
                        Some(long) => Object::Long(long.into()),
                        None => return self.refuse(literal, "an integer of too many digits"),
                    }
                }
            },
            Number::Float(float) => Object::Float(*float),
            Number::Complex { .. } => return self.refuse(literal, "complex numbers are not supported"),
        };
        Ok(ExprKind::Constant(object))
    }

    fn fstring(&mut self, fstring: &ruff::ExprFString) -> Lowered<ExprKind> {
        let mut pieces = Vec::new();
        for part in fstring.value.iter() {
            match part {
                FStringPart::Literal(literal) => pieces.push(Piece::Text(names::name(&literal.value))),
                FStringPart::FString(fstring) => self.pieces(fstring.elements.iter(), &mut pieces)?,
            }
        }
        Ok(ExprKind::Format(pieces))
    }

    fn pieces<'e>(
        &mut self,
        elements: impl Iterator<Item = &'e InterpolatedStringElement>,
        pieces: &mut Vec<Piece>,
    ) -> Lowered<()> {
        for element in elements {
            let element = match element {
                InterpolatedStringElement::Literal(literal) => {
                    pieces.push(Piece::Text(names::name(&literal.value)));
                    continue;
                }
                InterpolatedStringElement::Interpolation(element) => element,
            };
            let mut spec = Vec::new();
            if let Some(of) = &element.format_spec {
                self.pieces(of.elements.iter(), &mut spec)?;
            }
            let mut conversion = match element.conversion {
                ConversionFlag::None => None,
                ConversionFlag::Str => Some('s'),
                ConversionFlag::Ascii => Some('a'),
                ConversionFlag::Repr => Some('r'),
            };
            if let Some(debug) = &element.debug_text {
                pieces.push(Piece::Text(names::name(debug.as_str())));
                if conversion.is_none() && element.format_spec.is_none() {
                    conversion = Some('r');
                }
            }
            let value = self.expr(&element.expression)?;
            pieces.push(Piece::Value { value, conversion, spec });
        }
        Ok(())
    }
}

fn compare_op(op: &CmpOp) -> CompareOp {
    match op {
        CmpOp::Eq => CompareOp::Equal,
        CmpOp::NotEq => CompareOp::NotEqual,
        CmpOp::Lt => CompareOp::Less,
        CmpOp::LtE => CompareOp::LessEqual,
        CmpOp::Gt => CompareOp::Greater,
        CmpOp::GtE => CompareOp::GreaterEqual,
        CmpOp::Is => CompareOp::Is,
        CmpOp::IsNot => CompareOp::IsNot,
        CmpOp::In => CompareOp::In,
        CmpOp::NotIn => CompareOp::NotIn,
    }
}
