//! Functions, lambdas, and comprehensions: what has a scope of its own.

use std::rc::Rc;

use ruff_python_ast::{self as ruff, Parameters};

use super::names::{self, Scope};
use super::{Lowered, Lowerer};
use crate::ast::{Block, Clause, Comprehension, ExprKind, Function, Parameter, Stmt, StmtKind, What};

/// The body of a function, as ruff has it.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    Block(&'a [ruff::Stmt]),
    Expr(&'a ruff::Expr),
}

impl Lowerer<'_> {
    pub(super) fn function(
        &mut self,
        name: &str,
        of: Option<&Parameters>,
        body: Body<'_>,
    ) -> Lowered<Rc<Function>> {
        let mut scope = Scope::default();
        let mut parameters = Vec::new();
        let mut positional = 0;
        let (mut rest, mut rest_keywords) = (None, None);
        if let Some(of) = of {
            let by_position = of.posonlyargs.iter().chain(&of.args);
            for (parameter, is_positional) in
                by_position.map(|one| (one, true)).chain(of.kwonlyargs.iter().map(|one| (one, false)))
            {
                let id = parameter.parameter.name.as_str();
                // Defaults belong to what is around the function.
                let default = parameter.default.as_deref().map(|default| self.expr(default)).transpose()?;
                if parameters.iter().any(|known: &Parameter| known.name.as_str() == id) {
                    return self
                        .refuse(parameter, format!("duplicate argument '{id}' in function definition"));
                }
                positional += usize::from(is_positional);
                parameters.push(Parameter { name: names::name(id), slot: scope.own(id), default });
            }
            rest = of.vararg.as_ref().map(|parameter| scope.own(parameter.name.as_str()));
            rest_keywords = of.kwarg.as_ref().map(|parameter| scope.own(parameter.name.as_str()));
        }
        match body {
            Body::Block(block) => scope.own_assigned(block),
            Body::Expr(expr) => scope.own_assigned_in(expr),
        }
        self.scopes.enter(scope);
        let in_loop = std::mem::replace(&mut self.in_loop, false);
        let body = self.body(body);
        self.in_loop = in_loop;
        let slots = self.scopes.leave();
        let name = names::name(name);
        Ok(Rc::new(Function { name, parameters, positional, rest, rest_keywords, slots, body: body? }))
    }

    fn body(&mut self, body: Body<'_>) -> Lowered<Block> {
        match body {
            Body::Block(block) => self.block(block),
            Body::Expr(expr) => {
                let value = self.expr(expr)?;
                Ok(vec![Stmt { span: value.span, kind: StmtKind::Return(Some(value)) }])
            }
        }
    }

    pub(super) fn comprehension(
        &mut self,
        what: What,
        element: &ruff::Expr,
        value: Option<&ruff::Expr>,
        clauses: &[ruff::Comprehension],
    ) -> Lowered<ExprKind> {
        let Some(first) = clauses.first() else { return self.refuse(element, "a comprehension without for") };
        let first_iterable = self.expr(&first.iter)?;
        if what != What::List {
            let mut scope = Scope::default();
            for (at, clause) in clauses.iter().enumerate() {
                scope.own_assigned_in(&clause.target);
                if at > 0 {
                    scope.own_assigned_in(&clause.iter);
                }
                clause.ifs.iter().for_each(|condition| scope.own_assigned_in(condition));
            }
            [Some(element), value].into_iter().flatten().for_each(|part| scope.own_assigned_in(part));
            self.scopes.enter(scope);
        }
        let inner = self.comprehension_inner(element, value, clauses, first_iterable);
        let slots = (what != What::List).then(|| self.scopes.leave().len());
        let (element, value, clauses) = inner?;
        Ok(ExprKind::Comprehension(Rc::new(Comprehension { what, element, value, clauses, slots })))
    }

    fn comprehension_inner(
        &mut self,
        element: &ruff::Expr,
        value: Option<&ruff::Expr>,
        clauses: &[ruff::Comprehension],
        first_iterable: crate::ast::Expr,
    ) -> Lowered<(crate::ast::Expr, Option<crate::ast::Expr>, Vec<Clause>)> {
        let mut lowered = Vec::with_capacity(clauses.len());
        let mut first_iterable = Some(first_iterable);
        for clause in clauses {
            if clause.is_async {
                return self.refuse(clause, "async is not supported");
            }
            let iterable = match first_iterable.take() {
                Some(first) => first,
                None => self.expr(&clause.iter)?,
            };
            let target = self.target(&clause.target)?;
            let conditions =
                clause.ifs.iter().map(|condition| self.expr(condition)).collect::<Lowered<_>>()?;
            lowered.push(Clause { target, iterable, conditions });
        }
        let element = self.expr(element)?;
        let value = value.map(|value| self.expr(value)).transpose()?;
        Ok((element, value, lowered))
    }
}
