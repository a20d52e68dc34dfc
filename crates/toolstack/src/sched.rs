//! How domains are scheduled: shares under credit and credit2, budgets under rtds.
//!
//! Which of them a domain has, its pool's scheduler tells. What is not given in a change is read first and kept; ranges are
//! checked before Xen is asked, since Xen checks some late and some not at all.

use alloc::vec::Vec;

use hypercall::calls::{domctl, sysctl};
use hypercall::{Aperture, Batch, Done, Door, Scheduler as Number, Ticket};
use proto::domain::DomainRef;
use proto::error::DomainError;
use proto::sched::{
    Budget, BudgetChange, Change, Parameters, PoolTuning, SchedChange, SchedError, SchedPage, Scheduled,
    Scheduler, Share, Tuning, TuningError,
};
use xen_abi::domctl::{SchedCredit, SchedCredit2, SchedRtds, XEN_DOMCTL_SCHEDRT_EXTRA};
use xen_abi::sysctl::{Credit2Schedule, CreditSchedule};
use xen_abi::{DomId, Errno, VcpuId};

use crate::errors::{domain_error, told};
use crate::list::Target;
use crate::page;
use crate::platform::Platform;
use crate::pools;
use crate::registry::Record;
use crate::toolstack::{Mapping, Toolstack};

/// The shortest period and the smallest budget of rtds, in microseconds.
const LEAST_US: u32 = 10;

/// Bytes that a domain takes in an answer at most, and each of its budgets.
const DOMAIN: usize = page::NAME + 80;
const BUDGET: usize = 11;

/// The claim to a domain's parameters.
enum Asked {
    Credit(Ticket<SchedCredit>),
    Credit2(Ticket<SchedCredit2>),
    Rtds(Ticket<Vec<SchedRtds>>),
    Nothing,
}

fn refused(error: hypercall::XenError) -> SchedError {
    SchedError::Domain(domain_error(error))
}

fn vcpus(info: &hypercall::DomainInfo) -> u32 {
    info.max_vcpu.map_or(0, |last| last.0.saturating_add(1))
}

fn budget(raw: &SchedRtds) -> Budget {
    let has_extra = raw.flags & XEN_DOMCTL_SCHEDRT_EXTRA != 0;
    Budget { period_us: raw.period, budget_us: raw.budget, has_extra }
}

impl<'x, M: Door + Aperture, P: Platform<Mapping<'x, M>>> Toolstack<'x, M, P> {
    /// How a domain is scheduled. Two exits; one more for a pool that is seen for the first time.
    ///
    /// # Errors
    /// [`SchedError::Domain`].
    pub fn scheduled(&self, domain: &DomainRef) -> Result<Scheduled, SchedError> {
        let target = self.resolve(domain).map_err(SchedError::Domain)?;
        let info = self.info_of(target).map_err(SchedError::Domain)?;
        match self.ask_scheduled(&[info])?.pop() {
            Some(scheduled) => Ok(scheduled),
            None => Err(SchedError::Domain(DomainError::NotFound)),
        }
    }

    /// How domains from an id on are scheduled, by id: a page.
    ///
    /// Two exits: one list, and one multicall for all parameters. A pool that is seen for the first time takes another one.
    ///
    /// # Errors
    /// [`SchedError::Domain`].
    pub fn scheduled_from(&self, first: u16) -> Result<SchedPage, SchedError> {
        let call = sysctl::domain_infos(self.xen.abi(), DomId(first), page::DOMAINS);
        let mut infos = self.xen.run(call).map_err(refused)?;
        let next = page::cut(&mut infos, |info| DOMAIN + BUDGET * vcpus(info) as usize);
        self.registry.borrow().retain_shown(&mut infos);
        Ok(SchedPage { domains: self.ask_scheduled(&infos)?, next })
    }

    /// How these are scheduled; those that ended meanwhile are left out.
    fn ask_scheduled(&self, infos: &[hypercall::DomainInfo]) -> Result<Vec<Scheduled>, SchedError> {
        let mut questions = self.xen.batch();
        let mut asked = Vec::new();
        for info in infos {
            let scheduler = self.scheduler_of(info.cpupool).map_err(refused)?;
            asked.push((scheduler, self.ask_parameters(&mut questions, info, scheduler)));
        }
        let answers = questions.issue().map_err(refused)?;
        let mut found = Vec::new();
        for (info, (scheduler, asked)) in infos.iter().zip(asked) {
            match self.parameters(&answers, info, asked) {
                Ok(parameters) => found.push(Scheduled {
                    domid: info.id.0,
                    name: self.shown_name(info),
                    pool: self.pools.borrow().name(info.cpupool),
                    scheduler: pools::scheduler(scheduler),
                    parameters,
                }),
                Err(error) if error.errno == Errno::ESRCH => {}
                Err(error) => return Err(refused(error)),
            }
        }
        Ok(found)
    }

    fn ask_parameters(
        &self,
        questions: &mut Batch<'_, M>,
        info: &hypercall::DomainInfo,
        scheduler: Number,
    ) -> Asked {
        let abi = self.xen.abi();
        match scheduler {
            Number::CREDIT => Asked::Credit(questions.add(domctl::credit(abi, info.id))),
            Number::CREDIT2 => Asked::Credit2(questions.add(domctl::credit2(abi, info.id))),
            Number::RTDS => Asked::Rtds(questions.add(domctl::rtds(abi, info.id, VcpuId(0), vcpus(info)))),
            _ => Asked::Nothing,
        }
    }

    fn parameters(
        &self,
        answers: &Done,
        info: &hypercall::DomainInfo,
        asked: Asked,
    ) -> Result<Parameters, hypercall::XenError> {
        Ok(match asked {
            Asked::Credit(ticket) => {
                let SchedCredit { weight, cap } = answers.get(ticket)?;
                Parameters::Share(Share { weight, cap })
            }
            Asked::Credit2(ticket) => {
                let SchedCredit2 { weight, cap } = answers.get(ticket)?;
                Parameters::Share(Share { weight, cap })
            }
            Asked::Rtds(ticket) => {
                let told = self.rest_of_budgets(info, answers.get(ticket)?)?;
                Parameters::Budgets(told.iter().map(budget).collect())
            }
            Asked::Nothing => Parameters::None,
        })
    }

    /// Xen answers about the first 64 vCPUs, and about more where nobody waits for the processor.
    fn rest_of_budgets(
        &self,
        info: &hypercall::DomainInfo,
        mut told: Vec<SchedRtds>,
    ) -> Result<Vec<SchedRtds>, hypercall::XenError> {
        let all = vcpus(info);
        while (told.len() as u32) < all {
            let first = told.len() as u32;
            let more = self.xen.rtds(info.id, VcpuId(first), all - first)?;
            if more.is_empty() {
                break;
            }
            told.extend(more);
        }
        Ok(told)
    }

    /// Changes how a domain is scheduled; answers under which scheduler. Three exits, two under credit. A domain of ours is
    /// scheduled so in its next life too.
    ///
    /// # Errors
    /// See [`SchedError`]. Under rtds Xen may refuse a vCPU after it has set those before it.
    pub fn schedule(&self, request: &SchedChange) -> Result<Scheduler, SchedError> {
        let target = self.resolve(&request.domain).map_err(SchedError::Domain)?;
        let info = self.info_of(target).map_err(SchedError::Domain)?;
        let number = self.scheduler_of(info.cpupool).map_err(refused)?;
        let scheduler = pools::scheduler(number);
        match &request.change {
            Change::Share { under, weight, cap } if under.contains(&scheduler) => {
                let weight = weight.map(checked_weight).transpose()?;
                let most = most_cap(vcpus(&info));
                let cap = cap.map(|cap| checked_cap(cap, most)).transpose()?;
                self.set_share(&info, number, weight, cap).map_err(refused)?;
                self.note_schedule(target, |record| {
                    let config = &mut record.config;
                    (config.weight, config.cap) = (weight.or(config.weight), cap.or(config.cap));
                });
            }
            Change::Budgets(changes) if scheduler == Scheduler::Rtds => {
                let budgets = self.set_budgets(&info, changes)?;
                self.note_schedule(target, |record| record.kept.budgets = budgets);
            }
            Change::Share { .. } | Change::Budgets(_) => return Err(SchedError::Scheduler(scheduler)),
        }
        log::info!("d{}: {:?} under {scheduler}", info.id, request.change);
        Ok(scheduler)
    }

    fn set_share(
        &self,
        info: &hypercall::DomainInfo,
        scheduler: Number,
        weight: Option<u16>,
        cap: Option<u16>,
    ) -> Result<(), hypercall::XenError> {
        if scheduler == Number::CREDIT {
            let wish = SchedCredit { weight: weight.unwrap_or(0), cap: cap.unwrap_or(u16::MAX) };
            return self.xen.set_credit(info.id, wish);
        }
        // credit2 has no number that leaves a cap as it is.
        let cap = match cap {
            Some(cap) => cap,
            None => self.xen.credit2(info.id)?.cap,
        };
        self.xen.set_credit2(info.id, SchedCredit2 { weight: weight.unwrap_or(0), cap })
    }

    /// Changes some budgets; tells what all are now.
    fn set_budgets(
        &self,
        info: &hypercall::DomainInfo,
        changes: &[BudgetChange],
    ) -> Result<Vec<SchedRtds>, SchedError> {
        let first = self.xen.rtds(info.id, VcpuId(0), vcpus(info)).map_err(refused)?;
        let mut all = self.rest_of_budgets(info, first).map_err(refused)?;
        let mut is_changed = alloc::vec![false; all.len()];
        for change in changes {
            let meant = match change.vcpu {
                None => 0..all.len(),
                Some(vcpu) if (vcpu as usize) < all.len() => vcpu as usize..vcpu as usize + 1,
                Some(vcpu) => return Err(SchedError::NoVcpu(vcpu)),
            };
            for n in meant {
                apply(change, &mut all[n])?;
                is_changed[n] = true;
            }
        }
        let budgets = all.clone();
        let wishes = (0..).map(VcpuId).zip(all).zip(is_changed);
        let wishes: Vec<_> = wishes.filter_map(|(wish, is_changed)| is_changed.then_some(wish)).collect();
        self.xen.set_budgets(info.id, &wishes).map_err(refused)?;
        Ok(budgets)
    }

    /// Keeps for a domain's next life how it is scheduled.
    fn note_schedule(&self, target: Target, keep: impl FnOnce(&mut Record)) {
        if let Target::Ours(serial, _) = target
            && let Some(record) = self.registry.borrow_mut().by_serial_mut(serial)
        {
            keep(record);
        }
    }

    /// Looks at what a pool's scheduler is set to, after setting it where that is wanted. At most three exits.
    ///
    /// # Errors
    /// See [`TuningError`].
    pub fn tune_pool(&self, wish: &PoolTuning) -> Result<Tuning, TuningError> {
        let pool = self.find_pool(&wish.pool).map_err(|error| match error {
            proto::sched::PoolError::Xen(error) => TuningError::Xen(error),
            _ => TuningError::NotFound,
        })?;
        let scheduler = pools::scheduler(pool.scheduler);
        let name = self.pools.borrow().name(pool.id);
        let failed = |error| TuningError::Xen(told(error));
        let is_change =
            wish.tslice_ms.is_some() || wish.ratelimit_us.is_some() || wish.migration_delay_us.is_some();
        match scheduler {
            _ if scheduler != wish.scheduler => Err(TuningError::Scheduler(scheduler)),
            Scheduler::Credit => {
                let mut set = self.xen.credit_schedule(pool.id).map_err(failed)?;
                if is_change {
                    set = CreditSchedule {
                        tslice_ms: wish.tslice_ms.unwrap_or(set.tslice_ms),
                        ratelimit_us: wish.ratelimit_us.unwrap_or(set.ratelimit_us),
                        vcpu_migr_delay_us: wish.migration_delay_us.unwrap_or(set.vcpu_migr_delay_us),
                    };
                    self.xen.set_credit_schedule(pool.id, set).map_err(failed)?;
                }
                Ok(Tuning {
                    pool: name,
                    tslice_ms: Some(set.tslice_ms),
                    ratelimit_us: set.ratelimit_us,
                    migration_delay_us: Some(set.vcpu_migr_delay_us),
                })
            }
            Scheduler::Credit2 => {
                let mut set = self.xen.credit2_schedule(pool.id).map_err(failed)?;
                if let Some(ratelimit_us) = wish.ratelimit_us {
                    set = Credit2Schedule { ratelimit_us };
                    self.xen.set_credit2_schedule(pool.id, set).map_err(failed)?;
                }
                Ok(Tuning {
                    pool: name,
                    tslice_ms: None,
                    ratelimit_us: set.ratelimit_us,
                    migration_delay_us: None,
                })
            }
            other => Err(TuningError::Scheduler(other)),
        }
    }

    /// Presses Xen's debug keys; what they print comes on Xen's console. One exit.
    ///
    /// # Errors
    /// Xen refused.
    pub fn debug_keys(&self, keys: &str) -> Result<(), proto::error::XenError> {
        self.xen.run(sysctl::debug_keys(self.xen.abi(), keys.as_bytes())).map_err(told)
    }
}

/// The highest cap of a domain with so many vCPUs.
pub(crate) fn most_cap(vcpus: u32) -> u32 {
    // To credit, the last number means that the cap stays as it is.
    vcpus.saturating_mul(100).min(u32::from(u16::MAX - 1))
}

fn checked_weight(weight: i64) -> Result<u16, SchedError> {
    u16::try_from(weight).ok().filter(|weight| *weight > 0).ok_or(SchedError::Weight)
}

fn checked_cap(cap: i64, most: u32) -> Result<u16, SchedError> {
    u16::try_from(cap).ok().filter(|cap| u32::from(*cap) <= most).ok_or(SchedError::Cap { most })
}

fn apply(change: &BudgetChange, to: &mut SchedRtds) -> Result<(), SchedError> {
    to.period = change.period_us.unwrap_or(to.period);
    to.budget = change.budget_us.unwrap_or(to.budget);
    if let Some(has_extra) = change.has_extra {
        to.flags = if has_extra { XEN_DOMCTL_SCHEDRT_EXTRA } else { 0 };
    }
    if to.budget < LEAST_US || to.period < to.budget {
        return Err(SchedError::Budget { period_us: to.period, budget_us: to.budget });
    }
    Ok(())
}
