//! Assignment to names, attributes, places in containers; and deletion.

use super::scope_at;
use crate::ast::{BinaryOp, Expr, ExprKind, Name, Place, Target, TargetKind};
use crate::machine::{Frame, Machine};
use crate::object::Object;
use crate::stop::{NAME_ERROR, Res, Stop, attribute_error, type_error, value_error};

impl Machine<'_> {
    /// Gives a name a value.
    pub(crate) fn store(&self, frame: &Frame, place: &Place, value: Object) -> Res<()> {
        match place {
            Place::Local { up, slot, .. } => {
                if let Some(scope) = scope_at(frame, *up)
                    && let Some(kept) = scope.slots.borrow_mut().get_mut(usize::from(*slot))
                {
                    *kept = Some(value);
                }
                Ok(())
            }
            Place::Global(name) => self.store_global(frame, name, value),
        }
    }

    pub(crate) fn store_global(&self, frame: &Frame, name: &Name, value: Object) -> Res<()> {
        let mut globals = frame.unit.globals.borrow_mut();
        match globals.get_mut(&Object::name_key(name)) {
            Some((_, kept)) => *kept = value,
            None => {
                self.charge_values(8)?;
                globals.insert(Object::name_key(name), (Object::Str(name.clone()), value));
            }
        }
        Ok(())
    }

    pub(crate) fn assign(&self, frame: &Frame, target: &Target, value: Object) -> Res<()> {
        self.assign_kind(frame, target, value).map_err(|stop| stop.at(&frame.unit.source, target.span))
    }

    fn assign_kind(&self, frame: &Frame, target: &Target, value: Object) -> Res<()> {
        match &target.kind {
            TargetKind::Name(place) => self.store(frame, place, value),
            TargetKind::Attribute(object, name) => {
                let object = self.eval(frame, object)?;
                self.set_attribute(&object, name, value)
            }
            TargetKind::Index(parts) => {
                let object = self.eval(frame, &parts.0)?;
                let index = self.eval(frame, &parts.1)?;
                self.set_index(&object, &index, value)
            }
            TargetKind::Unpack(targets, star) => self.deeper(|| self.unpack(frame, targets, *star, &value)),
        }
    }

    fn unpack(&self, frame: &Frame, targets: &[Target], star: Option<usize>, value: &Object) -> Res<()> {
        let mut state = self.iterate(value)?;
        let mut values = Vec::new();
        // One more than there is room for tells that there are too many; an endless iterator is not asked for more.
        while let Some(value) = self.advance(&mut state)? {
            self.charge_values(1)?;
            values.push(value);
            if star.is_none() && values.len() > targets.len() {
                return value_error("too many values to unpack");
            }
        }
        let needed = targets.len() - usize::from(star.is_some());
        if values.len() < needed {
            let plural = if values.len() == 1 { "" } else { "s" };
            return value_error(format!("need more than {} value{plural} to unpack", values.len()));
        }
        let starred = values.len() - needed;
        let mut values = values.into_iter();
        for (at, target) in targets.iter().enumerate() {
            let value = if star == Some(at) {
                self.list(values.by_ref().take(starred).collect())?
            } else {
                values.next().unwrap_or(Object::None)
            };
            self.assign(frame, target, value)?;
        }
        Ok(())
    }

    pub(crate) fn augment(&self, frame: &Frame, target: &Target, op: BinaryOp, value: &Expr) -> Res<()> {
        match &target.kind {
            TargetKind::Name(place) => {
                let old = match self.load(frame, place) {
                    Ok(old) => old,
                    Err(stop) => {
                        let stop = stop.at(&frame.unit.source, target.span);
                        return self.begin_list(frame, place, op, value, stop);
                    }
                };
                let new = self.augmented(op, &old, &self.eval(frame, value)?)?;
                self.store(frame, place, new)
            }
            TargetKind::Attribute(object, name) => {
                let object = self.eval(frame, object)?;
                let old = self.attribute(&object, name)?;
                let new = self.augmented(op, &old, &self.eval(frame, value)?)?;
                self.set_attribute(&object, name, new)
            }
            TargetKind::Index(parts) => {
                let object = self.eval(frame, &parts.0)?;
                let index = self.eval(frame, &parts.1)?;
                let old = self.index(&object, &index)?;
                let new = self.augmented(op, &old, &self.eval(frame, value)?)?;
                self.set_index(&object, &index, new)
            }
            TargetKind::Unpack(..) => type_error("illegal target for augmented assignment"),
        }
    }

    /// In xl's language `name += [..]` may be the first to be heard of a name; to Python it is an error.
    fn begin_list(
        &self,
        frame: &Frame,
        place: &Place,
        op: BinaryOp,
        value: &Expr,
        stop: Box<Stop>,
    ) -> Res<()> {
        let in_file = frame.scope.is_none() && matches!(place, Place::Global(_));
        if op != BinaryOp::Add || !in_file || !stop.is(NAME_ERROR) {
            return Err(stop);
        }
        match value.kind {
            ExprKind::List(_) | ExprKind::Constant(Object::Str(_)) => {
                let value = self.eval(frame, value)?;
                self.store(frame, place, value)
            }
            _ => Err(stop),
        }
    }

    /// `+=` changes a list or a set itself, and all that are the same see it.
    fn augmented(&self, op: BinaryOp, old: &Object, value: &Object) -> Res {
        match (op, old) {
            (BinaryOp::Add, Object::List(list)) => {
                let more = self.collect(value)?;
                self.charge_values(more.len())?;
                list.borrow_mut().extend(more);
                Ok(old.clone())
            }
            (BinaryOp::Mul, Object::List(list)) => {
                if let Object::List(new) = self.binary(op, old, value)? {
                    let new = new.borrow().clone();
                    *list.borrow_mut() = new;
                }
                Ok(old.clone())
            }
            (BinaryOp::Or, Object::Set(set)) if !set.frozen && matches!(value, Object::Set(_)) => {
                for item in self.collect(value)? {
                    self.charge_values(4)?;
                    let key = self.key(&item)?;
                    set.items.borrow_mut().entry(key).or_insert(item);
                }
                Ok(old.clone())
            }
            _ => self.binary(op, old, value),
        }
    }

    pub(crate) fn delete(&self, frame: &Frame, target: &Target) -> Res<()> {
        let place = |stop: Box<Stop>| stop.at(&frame.unit.source, target.span);
        match &target.kind {
            TargetKind::Name(name) => {
                self.load(frame, name).map_err(place)?;
                match name {
                    Place::Local { up, slot, .. } => {
                        if let Some(scope) = scope_at(frame, *up)
                            && let Some(kept) = scope.slots.borrow_mut().get_mut(usize::from(*slot))
                        {
                            *kept = None;
                        }
                    }
                    Place::Global(name) => {
                        let mut globals = frame.unit.globals.borrow_mut();
                        self.step(globals.len())?;
                        if globals.shift_remove(&Object::name_key(name)).is_none() {
                            let message = format!("name '{}' is not defined", name.as_str());
                            return Err(place(Stop::raise(NAME_ERROR, message)));
                        }
                    }
                }
                Ok(())
            }
            TargetKind::Index(parts) => {
                let object = self.eval(frame, &parts.0)?;
                let index = self.eval(frame, &parts.1)?;
                self.delete_index(&object, &index).map_err(place)
            }
            TargetKind::Attribute(object, name) => {
                let object = self.eval(frame, object)?;
                let message = format!("cannot delete '{}' of '{}' object", name.as_str(), object.type_name());
                attribute_error(message).map_err(place)
            }
            TargetKind::Unpack(targets, _) => {
                targets.iter().try_for_each(|target| self.delete(frame, target))
            }
        }
    }
}
