//! Which names are a function's own, and where every name's value is kept.

use std::collections::HashSet;
use std::rc::Rc;

use indexmap::IndexSet;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{ExceptHandler, Expr, ExprContext, Stmt};

use crate::ast::{Name, Place};
use crate::text::Text;

/// The functions around the place that is being lowered, outermost first.
#[derive(Default)]
pub(super) struct Scopes {
    scopes: Vec<Scope>,
}

#[derive(Default)]
pub(super) struct Scope {
    slots: IndexSet<String>,
    /// Declared `global`.
    globals: HashSet<String>,
}

pub(super) fn name(text: &str) -> Name {
    Rc::new(Text::new(text))
}

impl Scopes {
    pub(super) fn enter(&mut self, scope: Scope) {
        self.scopes.push(scope);
    }

    /// Ends a scope; returns the names of its slots.
    pub(super) fn leave(&mut self) -> Vec<Name> {
        let scope = self.scopes.pop().unwrap_or_default();
        scope.slots.iter().map(|slot| name(slot)).collect()
    }

    pub(super) fn in_function(&self) -> bool {
        !self.scopes.is_empty()
    }

    /// Where the value of a name is kept, seen from the innermost scope.
    pub(super) fn resolve(&self, id: &str) -> Place {
        for (up, scope) in self.scopes.iter().rev().enumerate() {
            if scope.globals.contains(id) {
                break;
            }
            if let Some(slot) = scope.slots.get_index_of(id) {
                return Place::Local { up: up as u16, slot: slot as u16, name: name(id) };
            }
        }
        Place::Global(name(id))
    }
}

impl Scope {
    /// Makes a name the scope's own; returns its slot.
    pub(super) fn own(&mut self, id: &str) -> u16 {
        self.slots.insert_full(id.to_owned()).0 as u16
    }

    /// Makes what a function's body assigns the scope's own.
    pub(super) fn own_assigned(&mut self, body: &[Stmt]) {
        let mut assigned = Assigned::default();
        for stmt in body {
            assigned.visit_stmt(stmt);
        }
        self.take(assigned);
    }

    /// Makes what an expression assigns (by `:=`, or in a list comprehension) the scope's own.
    pub(super) fn own_assigned_in(&mut self, expr: &Expr) {
        let mut assigned = Assigned::default();
        assigned.visit_expr(expr);
        self.take(assigned);
    }

    fn take(&mut self, assigned: Assigned) {
        for id in &assigned.names {
            if !assigned.elsewhere.contains(id) {
                self.own(id);
            }
        }
        self.globals.extend(assigned.globals);
    }
}

/// Collects the names that statements assign, without those of functions within.
#[derive(Default)]
struct Assigned {
    names: Vec<String>,
    globals: HashSet<String>,
    /// Declared `global` or `nonlocal`.
    elsewhere: HashSet<String>,
}

impl<'a> Visitor<'a> for Assigned {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::FunctionDef(def) => self.names.push(def.name.to_string()),
            Stmt::ClassDef(_) => {}
            Stmt::Global(global) => {
                self.globals.extend(global.names.iter().map(ToString::to_string));
                self.elsewhere.extend(global.names.iter().map(ToString::to_string));
            }
            Stmt::Nonlocal(nonlocal) => self.elsewhere.extend(nonlocal.names.iter().map(ToString::to_string)),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let whole = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.names.push(whole.split('.').next().unwrap_or_default().to_owned());
                }
            }
            Stmt::ImportFrom(import) => {
                let bound = import.names.iter().map(|alias| alias.asname.as_ref().unwrap_or(&alias.name));
                self.names.extend(bound.map(ToString::to_string));
            }
            Stmt::Try(stmt_try) => {
                for ExceptHandler::ExceptHandler(handler) in &stmt_try.handlers {
                    self.names.extend(handler.name.as_ref().map(ToString::to_string));
                }
                walk_stmt(self, stmt);
            }
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if matches!(name.ctx, ExprContext::Store | ExprContext::Del) => {
                self.names.push(name.id.to_string());
            }
            Expr::Lambda(_) => {}
            // These have a scope of their own; only their first iterable is evaluated outside of it.
            Expr::SetComp(comp) => self.first_iterable(&comp.generators),
            Expr::DictComp(comp) => self.first_iterable(&comp.generators),
            Expr::Generator(comp) => self.first_iterable(&comp.generators),
            _ => walk_expr(self, expr),
        }
    }
}

impl Assigned {
    fn first_iterable(&mut self, clauses: &[ruff_python_ast::Comprehension]) {
        if let Some(first) = clauses.first() {
            self.visit_expr(&first.iter);
        }
    }
}
