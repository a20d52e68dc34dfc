//! QEMU's command line for a lab.
//!
//! QEMU runs in the lab's directory, where `xen`, `kernel` and `bundle` are links to the real files: so no path of a
//! user gets near QEMU's own syntax, in which commas and blanks mean something.

/// What the machine is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The lab's name, and the machine's.
    pub name: String,
    /// The machine's memory in MiB.
    pub memory_mib: u32,
    /// The control domain's memory in MiB.
    pub dom0_memory_mib: u32,
    /// Processors.
    pub cpus: u32,
    /// An emulated AMD IOMMU, and Xen using it; otherwise Xen is told that there is none.
    pub iommu: bool,
    /// There is a bundle.
    pub bundle: bool,
    /// The scheduler that Xen is to use, where not its own choice.
    pub sched: Option<&'static str>,
    /// More words for Xen.
    pub xen_args: Option<String>,
    /// More words for the control domain.
    pub kernel_args: Option<String>,
}

/// Size of the shared memory: a page of indices, and a ring of 1 MiB.
pub const SHARED_MEMORY: u64 = 2 << 20;

/// The program.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// The places in [`Machine::command`]'s arguments where the descriptors of the listening sockets go.
pub const LINK_FD: &str = "@LINK_FD@";
/// See [`LINK_FD`].
pub const QMP_FD: &str = "@QMP_FD@";

impl Machine {
    /// The program and its arguments.
    ///
    /// COM1 is Xen's and goes to `xen.log`. COM2 is the link. `isa-debug-exit` lets the control domain end QEMU with a
    /// status, `-no-reboot` makes a reset the end.
    pub fn command(&self) -> Vec<String> {
        let mut command: Vec<String> = vec![PROGRAM.into()];
        let mut option = |name: &str, value: String| command.extend([name.to_owned(), value]);
        option("-name", format!("nanodom-{}", self.name));
        option("-M", if self.iommu { "q35" } else { "pc" }.into());
        option("-accel", "tcg".into());
        // Linux under TCG crashes at RDTSCP; qemu64 has no nested paging.
        option("-cpu", "max,-rdtscp".into());
        option("-smp", self.cpus.to_string());
        option("-m", self.memory_mib.to_string());
        option("-display", "none".into());
        option("-monitor", "none".into());
        // What nobody looks at need not be started.
        option("-vga", "none".into());
        option("-nic", "none".into());
        option("-chardev", "file,id=xen,path=xen.log".into());
        option("-serial", "chardev:xen".into());
        option("-chardev", format!("socket,id=link,fd={LINK_FD},server=on,wait=off"));
        option("-serial", "chardev:link".into());
        option("-chardev", format!("socket,id=qmp,fd={QMP_FD},server=on,wait=off"));
        option("-mon", "chardev=qmp,mode=control".into());
        option("-object", format!("memory-backend-file,id=shm,mem-path=shm,size={SHARED_MEMORY},share=on"));
        option("-device", "ivshmem-plain,memdev=shm".into());
        option("-device", "isa-debug-exit,iobase=0xf4,iosize=0x04".into());
        if self.iommu {
            option("-device", "amd-iommu".into());
        }
        option("-kernel", "xen".into());
        option("-append", self.xen_words());
        option("-initrd", self.modules());
        command.push("-no-reboot".into());
        command
    }

    fn xen_words(&self) -> String {
        let memory = self.dom0_memory_mib;
        let mut words =
            format!("console=com1 loglvl=all guest_loglvl=all dom0=pvh dom0_mem={memory}M,max:{memory}M");
        if !self.iommu {
            words.push_str(" dom0-iommu=none");
        }
        if let Some(sched) = self.sched {
            words.push_str(" sched=");
            words.push_str(sched);
        }
        append(words, self.xen_args.as_deref())
    }

    /// The multiboot modules: the control domain's kernel with its words, and the bundle. QEMU divides them at commas.
    fn modules(&self) -> String {
        let words = format!("kernel host={} link=com2", self.name);
        let kernel = append(words, self.kernel_args.as_deref()).replace(',', ",,");
        if self.bundle { kernel + ",bundle" } else { kernel }
    }
}

fn append(words: String, more: Option<&str>) -> String {
    match more {
        Some(more) if !more.is_empty() => format!("{words} {more}"),
        _ => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            name: "t".into(),
            memory_mib: 512,
            dom0_memory_mib: 16,
            cpus: 1,
            iommu: false,
            bundle: false,
            sched: None,
            xen_args: None,
            kernel_args: None,
        }
    }

    fn value_of(command: &[String], option: &str) -> String {
        let at = command.iter().position(|word| word == option).expect("the option is given");
        command[at + 1].clone()
    }

    #[test]
    fn a_plain_lab_has_no_iommu_and_one_module() {
        let command = machine().command();
        assert_eq!(command[0], "qemu-system-x86_64");
        assert_eq!(value_of(&command, "-M"), "pc");
        assert_eq!(value_of(&command, "-m"), "512");
        assert_eq!(
            value_of(&command, "-append"),
            "console=com1 loglvl=all guest_loglvl=all dom0=pvh dom0_mem=16M,max:16M dom0-iommu=none"
        );
        assert_eq!(value_of(&command, "-initrd"), "kernel host=t link=com2");
        assert!(command.contains(&"-no-reboot".to_owned()));
        assert!(!command.contains(&"amd-iommu".to_owned()));
    }

    #[test]
    fn com1_is_xens_and_com2_the_link() {
        let command = machine().command();
        let serials: Vec<&String> =
            command.windows(2).filter(|pair| pair[0] == "-serial").map(|pair| &pair[1]).collect();
        assert_eq!(serials, ["chardev:xen", "chardev:link"]);
    }

    #[test]
    fn an_iommu_lab_is_a_q35_and_tells_xen_nothing() {
        let command = Machine { iommu: true, ..machine() }.command();
        assert_eq!(value_of(&command, "-M"), "q35");
        assert!(command.contains(&"amd-iommu".to_owned()));
        assert!(!value_of(&command, "-append").contains("dom0-iommu"));
    }

    #[test]
    fn words_and_bundle_reach_their_modules_and_commas_are_doubled() {
        let command = Machine {
            bundle: true,
            sched: Some("rtds"),
            xen_args: Some("cpuidle=0".into()),
            kernel_args: Some("log=debug,link=trace".into()),
            ..machine()
        }
        .command();
        assert!(value_of(&command, "-append").ends_with(" dom0-iommu=none sched=rtds cpuidle=0"));
        assert_eq!(value_of(&command, "-initrd"), "kernel host=t link=com2 log=debug,,link=trace,bundle");
    }
}
