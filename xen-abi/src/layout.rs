//! How a type or constant says what it is in C, so that the compiler and a test can check it.

/// A structure of Xen's headers as we have it. Made by `assert_layout!`.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The Rust type's name.
    pub rust: &'static str,
    /// The C structure's tag.
    pub c: &'static str,
    /// The first release (4.x) with this layout.
    pub first: u16,
    /// The last release (4.x) with this layout.
    pub last: u16,
    /// Bytes in all.
    pub size: usize,
    /// Every field, padding too.
    pub fields: &'static [Field],
}

/// A field of a [`Layout`].
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name, as in C (with `r#` before a word that Rust reserves); `_pad...` where C has a hole.
    pub name: &'static str,
    /// Bytes from the structure's start.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
}

/// A type that has said its layout.
pub trait Described {
    /// What the type says of itself.
    const LAYOUT: Layout;
}

/// A constant of Xen's headers as we have it. Made by `constants!`.
#[derive(Clone, Copy, Debug)]
pub struct Constant {
    /// Our name: the C name in capitals.
    pub name: &'static str,
    /// Its value, widened without sign.
    pub value: u64,
}

/// The size of a field, without a value of the structure.
pub const fn field_size<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// Checks a type's size and fields at compile time and describes it for the test.
///
/// The numbers are C's, the releases those (4.x) whose headers have this layout. Naming a field twice or
/// leaving one out fails the test that walks the descriptions.
macro_rules! assert_layout {
    ($type:ident = $c:literal, 4.x $first:literal to $last:literal, size $size:literal
     $(, $field:ident @ $offset:literal)* $(,)?) => {
        const _: () = {
            assert!(size_of::<$type>() == $size);
            $(assert!(core::mem::offset_of!($type, $field) == $offset);)*
        };
        impl $crate::layout::Described for $type {
            const LAYOUT: $crate::layout::Layout = $crate::layout::Layout {
                rust: stringify!($type),
                c: $c,
                first: $first,
                last: $last,
                size: size_of::<$type>(),
                fields: &[$($crate::layout::Field {
                    name: stringify!($field),
                    offset: core::mem::offset_of!($type, $field),
                    size: $crate::layout::field_size(|whole: &$type| &whole.$field),
                }),*],
            };
        }
    };
}

/// Defines constants under their C names in capitals, and lists them for the test.
///
/// `NAME: u32 = 1` is a plain integer; `NAME: DomId(u16) = 1` a newtype over one.
macro_rules! constants {
    ($($(#[$attribute:meta])* $name:ident: $type:ident $(($inner:ident))? = $value:literal;)*) => {
        $(
            $(#[$attribute])*
            pub const $name: $type = constants!(@value $type $(($inner))? $value);
        )*
        /// Every constant above, for the test that compares them with the C headers.
        pub const CONSTANTS: &[$crate::layout::Constant] = &[
            $($crate::layout::Constant { name: stringify!($name), value: $value as u64 },)*
        ];
    };
    (@value $type:ident ($inner:ident) $value:literal) => { $type($value) };
    (@value $type:ident $value:literal) => { $value };
}
