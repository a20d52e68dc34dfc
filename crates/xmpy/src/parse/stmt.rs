//! Statements and what they assign to.

use ruff_python_ast::{self as ruff, ExceptHandler};

use super::function::Body;
use super::names;
use super::{Lowered, Lowerer};
use crate::ast::{Block, ExprKind, Handler, Place, Stmt, StmtKind, Target, TargetKind, Try};

impl Lowerer<'_> {
    pub(super) fn block(&mut self, stmts: &[ruff::Stmt]) -> Lowered<Block> {
        let mut block = Vec::with_capacity(stmts.len());
        for stmt in stmts {
            self.stmt(stmt, &mut block)?;
        }
        Ok(block)
    }

    /// Lowers one statement, which may become several.
    fn stmt(&mut self, stmt: &ruff::Stmt, block: &mut Block) -> Lowered<()> {
        let span = self.span(stmt);
        let kind = match stmt {
            ruff::Stmt::Import(import) => return self.import(import, block),
            ruff::Stmt::ImportFrom(import) => self.import_from(import)?,
            ruff::Stmt::FunctionDef(def) => self.def(def)?,
            ruff::Stmt::Return(ret) => {
                if !self.scopes.in_function() {
                    return self.refuse(ret, "'return' outside function");
                }
                StmtKind::Return(ret.value.as_deref().map(|value| self.expr(value)).transpose()?)
            }
            ruff::Stmt::Delete(delete) => StmtKind::Delete(self.targets(&delete.targets)?),
            ruff::Stmt::Assign(assign) => {
                let value = self.expr(&assign.value)?;
                StmtKind::Assign(self.targets(&assign.targets)?, value)
            }
            ruff::Stmt::AugAssign(assign) => {
                let op = self.binary(assign, assign.op)?;
                let target = self.target(&assign.target)?;
                if matches!(target.kind, TargetKind::Unpack(..)) {
                    return self.refuse(&*assign.target, "illegal target for augmented assignment");
                }
                StmtKind::AugAssign(target, op, self.expr(&assign.value)?)
            }
            ruff::Stmt::AnnAssign(assign) => match &assign.value {
                Some(value) => {
                    let value = self.expr(value)?;
                    StmtKind::Assign(vec![self.target(&assign.target)?], value)
                }
                None => StmtKind::Pass,
            },
            ruff::Stmt::For(stmt_for) => {
                if stmt_for.is_async {
                    return self.refuse(stmt, "async is not supported");
                }
                let iterable = self.expr(&stmt_for.iter)?;
                let target = self.target(&stmt_for.target)?;
                let body = self.loop_body(&stmt_for.body)?;
                StmtKind::For(target, iterable, body, self.block(&stmt_for.orelse)?)
            }
            ruff::Stmt::While(stmt_while) => {
                let test = self.expr(&stmt_while.test)?;
                let body = self.loop_body(&stmt_while.body)?;
                StmtKind::While(test, body, self.block(&stmt_while.orelse)?)
            }
            ruff::Stmt::If(stmt_if) => self.stmt_if(stmt_if)?,
            ruff::Stmt::With(with) => self.with(with)?,
            ruff::Stmt::Raise(raise) => {
                StmtKind::Raise(raise.exc.as_deref().map(|exc| self.expr(exc)).transpose()?)
            }
            ruff::Stmt::Try(stmt_try) => self.stmt_try(stmt_try)?,
            ruff::Stmt::Assert(assert) => {
                let test = self.expr(&assert.test)?;
                StmtKind::Assert(test, assert.msg.as_deref().map(|msg| self.expr(msg)).transpose()?)
            }
            ruff::Stmt::Expr(expr) => StmtKind::Expr(self.expr(&expr.value)?),
            // These told which names are whose before anything was lowered.
            ruff::Stmt::Global(_) | ruff::Stmt::Nonlocal(_) | ruff::Stmt::Pass(_) => StmtKind::Pass,
            ruff::Stmt::Break(_) if !self.in_loop => return self.refuse(stmt, "'break' outside loop"),
            ruff::Stmt::Break(_) => StmtKind::Break,
            ruff::Stmt::Continue(_) if !self.in_loop => {
                return self.refuse(stmt, "'continue' not properly in loop");
            }
            ruff::Stmt::Continue(_) => StmtKind::Continue,
            ruff::Stmt::ClassDef(class) => {
                return self.refuse(&class.name, "classes are not supported in configurations");
            }
            ruff::Stmt::Match(_) | ruff::Stmt::TypeAlias(_) | ruff::Stmt::IpyEscapeCommand(_) => {
                return self.refuse(stmt, "this statement is not supported in configurations");
            }
        };
        block.push(Stmt { span, kind });
        Ok(())
    }

    fn def(&mut self, def: &ruff::StmtFunctionDef) -> Lowered<StmtKind> {
        if def.is_async {
            return self.refuse(&def.name, "async is not supported");
        }
        if let Some(decorator) = def.decorator_list.first() {
            return self.refuse(decorator, "decorators are not supported in configurations");
        }
        let function = self.function(def.name.as_str(), Some(&def.parameters), Body::Block(&def.body))?;
        Ok(StmtKind::Def(self.scopes.resolve(def.name.as_str()), function))
    }

    fn loop_body(&mut self, body: &[ruff::Stmt]) -> Lowered<Block> {
        let in_loop = std::mem::replace(&mut self.in_loop, true);
        let body = self.block(body);
        self.in_loop = in_loop;
        body
    }

    fn stmt_if(&mut self, stmt: &ruff::StmtIf) -> Lowered<StmtKind> {
        let mut branches = vec![(self.expr(&stmt.test)?, self.block(&stmt.body)?)];
        let mut otherwise = Vec::new();
        for clause in &stmt.elif_else_clauses {
            let body = match &clause.test {
                Some(test) => (self.expr(test)?, self.block(&clause.body)?),
                None => {
                    otherwise = self.block(&clause.body)?;
                    continue;
                }
            };
            branches.push(body);
        }
        Ok(StmtKind::If(branches, otherwise))
    }

    fn with(&mut self, with: &ruff::StmtWith) -> Lowered<StmtKind> {
        if with.is_async {
            return self.refuse(with, "async is not supported");
        }
        let mut items = Vec::with_capacity(with.items.len());
        for item in &with.items {
            let context = self.expr(&item.context_expr)?;
            items.push((
                context,
                item.optional_vars.as_deref().map(|target| self.target(target)).transpose()?,
            ));
        }
        Ok(StmtKind::With(items, self.block(&with.body)?))
    }

    fn stmt_try(&mut self, stmt: &ruff::StmtTry) -> Lowered<StmtKind> {
        if stmt.is_star {
            return self.refuse(stmt, "except* is not supported");
        }
        let body = self.block(&stmt.body)?;
        let mut handlers = Vec::with_capacity(stmt.handlers.len());
        for ExceptHandler::ExceptHandler(handler) in &stmt.handlers {
            let class = handler.type_.as_deref().map(|class| self.expr(class)).transpose()?;
            if class.is_none() && handlers.len() + 1 < stmt.handlers.len() {
                return self.refuse(handler, "default 'except:' must be last");
            }
            let name = handler.name.as_ref().map(|name| self.scopes.resolve(name.as_str()));
            handlers.push(Handler { class, name, body: self.block(&handler.body)? });
        }
        let otherwise = self.block(&stmt.orelse)?;
        Ok(StmtKind::Try(Box::new(Try { body, handlers, otherwise, finally: self.block(&stmt.finalbody)? })))
    }

    fn import(&mut self, import: &ruff::StmtImport, block: &mut Block) -> Lowered<()> {
        for alias in &import.names {
            let dotted = alias.name.to_string();
            let (bound, whole) = match &alias.asname {
                Some(name) => (name.as_str(), true),
                None => (dotted.split('.').next().unwrap_or_default(), false),
            };
            let place = self.scopes.resolve(bound);
            block.push(Stmt { span: self.span(alias), kind: StmtKind::Import(dotted, place, whole) });
        }
        Ok(())
    }

    fn import_from(&mut self, import: &ruff::StmtImportFrom) -> Lowered<StmtKind> {
        let Some(module) = import.module.as_ref().filter(|_| import.level == 0) else {
            return self.refuse(import, "relative imports are not supported");
        };
        if module.as_str() == "__future__" {
            return self.future(import);
        }
        if import.names.iter().any(|alias| alias.name.as_str() == "*") {
            if self.scopes.in_function() {
                return self.refuse(import, "import * only allowed at module level");
            }
            return Ok(StmtKind::ImportStar(module.to_string()));
        }
        let bound = |alias: &ruff::Alias| -> (_, Place) {
            let place = self.scopes.resolve(alias.asname.as_ref().unwrap_or(&alias.name).as_str());
            (names::name(alias.name.as_str()), place)
        };
        let names = import.names.iter().map(bound).collect();
        Ok(StmtKind::ImportFrom(module.to_string(), names))
    }

    fn future(&mut self, import: &ruff::StmtImportFrom) -> Lowered<StmtKind> {
        const KNOWN: [&str; 7] = [
            "absolute_import",
            "annotations",
            "generators",
            "nested_scopes",
            "print_function",
            "unicode_literals",
            "with_statement",
        ];
        for alias in &import.names {
            match alias.name.as_str() {
                "division" => self.true_division = true,
                name if KNOWN.contains(&name) => {}
                name => return self.refuse(alias, format!("future feature {name} is not defined")),
            }
        }
        Ok(StmtKind::Pass)
    }

    fn targets(&mut self, targets: &[ruff::Expr]) -> Lowered<Vec<Target>> {
        targets.iter().map(|target| self.target(target)).collect()
    }

    pub(super) fn target(&mut self, target: &ruff::Expr) -> Lowered<Target> {
        let kind = match target {
            ruff::Expr::Name(name) => TargetKind::Name(self.scopes.resolve(&name.id)),
            ruff::Expr::Tuple(tuple) => self.unpack(target, &tuple.elts)?,
            ruff::Expr::List(list) => self.unpack(target, &list.elts)?,
            _ => match self.expr(target)?.kind {
                ExprKind::Attribute(object, name) => TargetKind::Attribute(object, name),
                ExprKind::Index(parts) => TargetKind::Index(parts),
                _ => return self.refuse(target, "cannot assign to this"),
            },
        };
        Ok(Target { span: self.span(target), kind })
    }

    fn unpack(&mut self, whole: &ruff::Expr, elements: &[ruff::Expr]) -> Lowered<TargetKind> {
        let mut targets = Vec::with_capacity(elements.len());
        let mut star = None;
        for (at, element) in elements.iter().enumerate() {
            match element {
                ruff::Expr::Starred(_) if star.is_some() => {
                    return self.refuse(whole, "two starred expressions in assignment");
                }
                ruff::Expr::Starred(starred) => {
                    star = Some(at);
                    targets.push(self.target(&starred.value)?);
                }
                _ => targets.push(self.target(element)?),
            }
        }
        Ok(TargetKind::Unpack(targets, star))
    }
}
