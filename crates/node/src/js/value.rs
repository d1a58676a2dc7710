//! Node-API with lifetimes: a value cannot outlive the callback that it was made in.

use super::fail::Fail;
use napi_sys as sys;
use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr;

/// A JavaScript value of the scope `'s`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Val<'s>(sys::napi_value, PhantomData<&'s ()>);

impl Val<'_> {
    /// `undefined`, as a callback returns it.
    pub const UNDEFINED: Self = Self(ptr::null_mut(), PhantomData);

    /// # Safety
    /// `raw` belongs to a scope that is open for all of `'s`, or is null.
    pub unsafe fn new(raw: sys::napi_value) -> Self {
        Self(raw, PhantomData)
    }

    /// The value as Node-API knows it.
    pub fn raw(self) -> sys::napi_value {
        self.0
    }
}

/// An environment that runs JavaScript on this thread, inside a scope that is open for all of `'s`.
#[derive(Clone, Copy)]
pub struct Js<'s>(sys::napi_env, PhantomData<*mut &'s ()>);

/// Checks a status: anything but "ok" means that an exception is pending or that JavaScript cannot
/// run any more, since arguments are checked before.
#[inline]
fn ok(status: sys::napi_status) -> Result<(), Fail> {
    if status == sys::Status::napi_ok { Ok(()) } else { Err(Fail::PENDING) }
}

impl<'s> Js<'s> {
    /// # Safety
    /// `env` is live, belongs to this thread, and a scope is open in it for all of `'s`.
    pub unsafe fn new(env: sys::napi_env) -> Self {
        Self(env, PhantomData)
    }

    /// The environment as Node-API knows it.
    #[inline]
    pub fn raw(self) -> sys::napi_env {
        self.0
    }

    /// Runs a Node-API function that makes a value.
    #[inline]
    fn make(
        self,
        f: impl FnOnce(sys::napi_env, *mut sys::napi_value) -> sys::napi_status,
    ) -> Result<Val<'s>, Fail> {
        let mut value = ptr::null_mut();
        ok(f(self.0, &mut value))?;
        Ok(Val(value, PhantomData))
    }

    /// A number.
    #[inline]
    pub fn number(self, n: f64) -> Result<Val<'s>, Fail> {
        // SAFETY: the environment is live and the out parameter valid, as in all functions below.
        self.make(|env, out| unsafe { sys::napi_create_double(env, n, out) })
    }

    /// A boolean.
    #[inline]
    pub fn boolean(self, b: bool) -> Result<Val<'s>, Fail> {
        // SAFETY: as in `number`.
        self.make(|env, out| unsafe { sys::napi_get_boolean(env, b, out) })
    }

    /// `undefined` as a value, for arguments and elements.
    pub fn undefined(self) -> Result<Val<'s>, Fail> {
        // SAFETY: as in `number`.
        self.make(|env, out| unsafe { sys::napi_get_undefined(env, out) })
    }

    /// A string of our own words.
    pub fn text(self, text: &str) -> Result<Val<'s>, Fail> {
        let (at, len) = (text.as_ptr().cast(), text.len() as isize);
        // SAFETY: as in `number`; `text` is alive and `len` bytes long.
        self.make(|env, out| unsafe { sys::napi_create_string_utf8(env, at, len, out) })
    }

    /// A string whose units are these bytes.
    #[inline]
    pub fn one_byte(self, bytes: &[u8]) -> Result<Val<'s>, Fail> {
        let (at, len) = (bytes.as_ptr().cast(), bytes.len() as isize);
        // SAFETY: as in `number`; `bytes` is alive and `len` bytes long.
        self.make(|env, out| unsafe { sys::napi_create_string_latin1(env, at, len, out) })
    }

    /// A string of these UTF-16 units.
    pub fn two_byte(self, units: &[u16]) -> Result<Val<'s>, Fail> {
        let (at, len) = (units.as_ptr(), units.len() as isize);
        // SAFETY: as in `number`; `units` is alive and `len` units long.
        self.make(|env, out| unsafe { sys::napi_create_string_utf16(env, at, len, out) })
    }

    /// A Buffer with a copy of these bytes.
    pub fn buffer(self, bytes: &[u8]) -> Result<Val<'s>, Fail> {
        let (at, len) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: as in `number`; `bytes` is alive and `len` bytes long.
        self.make(|env, out| unsafe {
            sys::napi_create_buffer_copy(env, len, at, ptr::null_mut(), out)
        })
    }

    /// An ArrayBuffer of `len` zeros, and where they lie: for as long as the value lives.
    pub fn array_buffer(self, len: usize) -> Result<(Val<'s>, *mut u8), Fail> {
        let mut at = ptr::null_mut();
        let value = self.make(|env, out| {
            // SAFETY: as in `number`.
            unsafe { sys::napi_create_arraybuffer(env, len, &mut at, out) }
        })?;
        Ok((value, at.cast()))
    }

    /// An ArrayBuffer over memory that is not JavaScript's; `None` if the runtime does not allow it.
    ///
    /// # Safety
    /// The memory is `len` bytes that anybody may write, and stays until `finalize` was called.
    pub unsafe fn lent_array_buffer(
        self,
        at: *mut c_void,
        len: usize,
        finalize: sys::napi_finalize,
        hint: *mut c_void,
    ) -> Option<Val<'s>> {
        let mut out = ptr::null_mut();
        // SAFETY: as in `number`; the caller vouches for the memory.
        let status = unsafe {
            sys::napi_create_external_arraybuffer(self.0, at, len, finalize, hint, &mut out)
        };
        // SAFETY: a value of the current scope.
        (status == sys::Status::napi_ok).then(|| unsafe { Val::new(out) })
    }

    /// A 64-bit unsigned number, exactly.
    pub fn bigint(self, n: u64) -> Result<Val<'s>, Fail> {
        // SAFETY: as in `number`.
        self.make(|env, out| unsafe { sys::napi_create_bigint_uint64(env, n, out) })
    }

    /// An array with room for `len` elements.
    pub fn array(self, len: usize) -> Result<Val<'s>, Fail> {
        // SAFETY: as in `number`.
        self.make(|env, out| unsafe { sys::napi_create_array_with_length(env, len, out) })
    }

    /// An object.
    pub fn object(self) -> Result<Val<'s>, Fail> {
        // SAFETY: as in `number`.
        self.make(|env, out| unsafe { sys::napi_create_object(env, out) })
    }

    /// A function that runs `raw` with `data`.
    ///
    /// # Safety
    /// `raw` may be called with `data` for as long as the function lives.
    pub unsafe fn function(
        self,
        name: &CStr,
        raw: sys::napi_callback,
        data: *mut c_void,
    ) -> Result<Val<'s>, Fail> {
        let at = name.as_ptr();
        let len = name.count_bytes() as isize;
        // SAFETY: as in `number`; the caller vouches for `raw` and `data`.
        self.make(|env, out| unsafe { sys::napi_create_function(env, at, len, raw, data, out) })
    }

    /// Sets a property.
    pub fn put(self, object: Val<'_>, name: &CStr, value: Val<'_>) -> Result<(), Fail> {
        // SAFETY: as in `number`; both values belong to open scopes.
        ok(unsafe { sys::napi_set_named_property(self.0, object.0, name.as_ptr(), value.0) })
    }

    /// Sets a property to a number.
    pub fn put_number(self, object: Val<'_>, name: &CStr, n: f64) -> Result<(), Fail> {
        self.put(object, name, self.number(n)?)
    }

    /// Reads a property. May run JavaScript of the user.
    pub fn prop(self, object: Val<'_>, name: &CStr) -> Result<Val<'s>, Fail> {
        // SAFETY: as in `number`; the object belongs to an open scope.
        self.make(|env, out| unsafe {
            sys::napi_get_named_property(env, object.0, name.as_ptr(), out)
        })
    }

    /// Sets an element.
    pub fn put_at(self, array: Val<'_>, index: usize, value: Val<'_>) -> Result<(), Fail> {
        // SAFETY: as in `number`; both values belong to open scopes.
        ok(unsafe { sys::napi_set_element(self.0, array.0, index as u32, value.0) })
    }

    /// Reads an element. May run JavaScript of the user.
    pub fn at(self, array: Val<'_>, index: usize) -> Result<Val<'s>, Fail> {
        // SAFETY: as in `number`; the array belongs to an open scope.
        self.make(|env, out| unsafe { sys::napi_get_element(env, array.0, index as u32, out) })
    }

    /// How many elements an array has, `None` if it is no array.
    pub fn len(self, array: Val<'_>) -> Option<usize> {
        let mut len = 0;
        // SAFETY: as in `number`; the value belongs to an open scope.
        let status = unsafe { sys::napi_get_array_length(self.0, array.0, &mut len) };
        (status == sys::Status::napi_ok).then_some(len as usize)
    }

    /// What `typeof` says of the value, and "null" for null.
    #[cold]
    pub fn type_name(self, value: Val<'_>) -> &'static str {
        let mut kind = -1;
        // SAFETY: as in `number`; the value belongs to an open scope.
        unsafe { sys::napi_typeof(self.0, value.0, &mut kind) };
        match kind {
            sys::ValueType::napi_undefined => "undefined",
            sys::ValueType::napi_null => "null",
            sys::ValueType::napi_boolean => "boolean",
            sys::ValueType::napi_number => "number",
            sys::ValueType::napi_string => "string",
            sys::ValueType::napi_symbol => "symbol",
            sys::ValueType::napi_function => "function",
            sys::ValueType::napi_bigint => "bigint",
            _ => "object",
        }
    }

    /// The value as a number, `None` if it is none.
    #[inline]
    pub fn to_number(self, value: Val<'_>) -> Option<f64> {
        let mut n = 0.0;
        // SAFETY: as in `number`; the value belongs to an open scope.
        let status = unsafe { sys::napi_get_value_double(self.0, value.0, &mut n) };
        (status == sys::Status::napi_ok).then_some(n)
    }

    /// The value as a number without its fraction, between 0 and the most that 64 bits hold; `None`
    /// if it is no number.
    pub fn to_whole(self, value: Val<'_>) -> Option<u64> {
        self.to_number(value).map(|n| n as u64)
    }

    /// Whether the value is `true`.
    pub fn to_boolean(self, value: Val<'_>) -> bool {
        let mut is = false;
        // SAFETY: as in `number`; the value belongs to an open scope.
        unsafe { sys::napi_get_value_bool(self.0, value.0, &mut is) };
        is
    }

    /// The value as an index, `None` if it is none.
    #[inline]
    pub fn to_index(self, value: Val<'_>) -> Option<usize> {
        let mut n = 0;
        // SAFETY: as in `number`; the value belongs to an open scope.
        let status = unsafe { sys::napi_get_value_uint32(self.0, value.0, &mut n) };
        (status == sys::Status::napi_ok).then_some(n as usize)
    }

    /// The value as a 64-bit number, `None` if it is no BigInt.
    pub fn to_u64(self, value: Val<'_>) -> Option<u64> {
        let (mut n, mut lossless) = (0, false);
        // SAFETY: as in `number`; the value belongs to an open scope.
        let status =
            unsafe { sys::napi_get_value_bigint_uint64(self.0, value.0, &mut n, &mut lossless) };
        (status == sys::Status::napi_ok && lossless).then_some(n)
    }

    /// The value as text, `None` if it is no string.
    pub fn to_text(self, value: Val<'_>) -> Option<String> {
        let mut len = 0;
        // SAFETY: as in `number`; no buffer asks for the length alone.
        let status = unsafe {
            sys::napi_get_value_string_utf8(self.0, value.0, ptr::null_mut(), 0, &mut len)
        };
        if status != sys::Status::napi_ok {
            return None;
        }
        let mut bytes = vec![0; len + 1];
        let at = bytes.as_mut_ptr().cast();
        // SAFETY: as in `number`; the buffer has room for the text and the zero after it.
        unsafe { sys::napi_get_value_string_utf8(self.0, value.0, at, len + 1, &mut len) };
        bytes.truncate(len);
        String::from_utf8(bytes).ok()
    }

    /// The bytes of a Buffer or Uint8Array, `None` if the value is neither.
    ///
    /// # Safety
    /// No JavaScript runs on this thread while the bytes are in use. Another thread may write to
    /// them if they are shared: what is read then is torn, as in any typed array.
    #[inline]
    pub unsafe fn to_bytes<'a>(self, value: Val<'_>) -> Option<&'a mut [u8]> {
        let (mut kind, mut len, mut at) = (0, 0, ptr::null_mut());
        // SAFETY: as in `number`; parameters that are not wanted may be null.
        let status = unsafe {
            sys::napi_get_typedarray_info(
                self.0,
                value.0,
                &mut kind,
                &mut len,
                &mut at,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
            return None;
        }
        if at.is_null() {
            return Some(&mut []);
        }
        // SAFETY: the array has `len` bytes there; the caller lets nothing move or free them.
        Some(unsafe { std::slice::from_raw_parts_mut(at.cast(), len) })
    }

    /// Calls a function.
    pub fn call(self, function: Val<'_>, args: &[Val<'_>]) -> Result<Val<'s>, Fail> {
        let this = self.undefined()?;
        self.make(|env, out| {
            // SAFETY: as in `number`; `Val` is a transparent `napi_value`.
            unsafe {
                sys::napi_call_function(
                    env,
                    this.0,
                    function.0,
                    args.len(),
                    args.as_ptr().cast(),
                    out,
                )
            }
        })
    }

    /// Calls a function where no JavaScript runs: what it leaves for later in this turn is done.
    pub fn call_back(self, function: Val<'_>, args: &[Val<'_>]) -> Result<(), Fail> {
        let this = self.object()?;
        // SAFETY: as in `call`. It needs no context: nothing asynchronous began it.
        ok(unsafe {
            sys::napi_make_callback(
                self.0,
                ptr::null_mut(),
                this.0,
                function.0,
                args.len(),
                args.as_ptr().cast(),
                ptr::null_mut(),
            )
        })
    }

    /// Throws, once the callback returns.
    pub fn throw(self, error: Val<'_>) {
        // SAFETY: as in `number`. If it fails an exception is pending already.
        unsafe { sys::napi_throw(self.0, error.0) };
    }

    /// Forgets the exception that is pending, if there is one.
    pub fn forget_exception(self) {
        let mut exception = ptr::null_mut();
        // SAFETY: as in `number`.
        unsafe { sys::napi_get_and_clear_last_exception(self.0, &mut exception) };
    }

    /// A reference that keeps the value alive, until it is let go or the environment ends.
    pub fn keep(self, value: Val<'_>) -> Result<sys::napi_ref, Fail> {
        self.reference(value, 1)
    }

    /// A reference that leads to the value for as long as it lives, and does not keep it alive.
    pub fn weak(self, value: Val<'_>) -> Result<sys::napi_ref, Fail> {
        self.reference(value, 0)
    }

    fn reference(self, value: Val<'_>, count: u32) -> Result<sys::napi_ref, Fail> {
        let mut reference = ptr::null_mut();
        // SAFETY: as in `number`; the value belongs to an open scope.
        ok(unsafe { sys::napi_create_reference(self.0, value.0, count, &mut reference) })?;
        Ok(reference)
    }

    /// Has a weak reference keep its value alive, or again not.
    ///
    /// # Safety
    /// The reference was made by [`Js::weak`] in this environment.
    pub unsafe fn hold(self, reference: sys::napi_ref, hold: bool) {
        // SAFETY: the caller vouches for the reference; nobody wants the count.
        unsafe {
            if hold {
                sys::napi_reference_ref(self.0, reference, ptr::null_mut());
            } else {
                sys::napi_reference_unref(self.0, reference, ptr::null_mut());
            }
        }
    }

    /// Ends a reference.
    ///
    /// # Safety
    /// The reference was made in this environment and is not used again.
    pub unsafe fn let_go(self, reference: sys::napi_ref) {
        // SAFETY: the caller vouches for the reference.
        unsafe { sys::napi_delete_reference(self.0, reference) };
    }

    /// What a reference leads to, if that still lives.
    ///
    /// # Safety
    /// The reference was made in this environment.
    pub unsafe fn referent(self, reference: sys::napi_ref) -> Option<Val<'s>> {
        // SAFETY: as in `number`; the caller vouches for the reference.
        self.make(|env, out| unsafe { sys::napi_get_reference_value(env, reference, out) })
            .ok()
            .filter(|value| !value.0.is_null())
    }

    /// Hands `data` and `hint` to `finalize` when the object is collected or the environment ends.
    ///
    /// # Safety
    /// `finalize` may be called with them, once.
    pub unsafe fn on_collected(
        self,
        object: Val<'_>,
        data: *mut c_void,
        finalize: sys::napi_finalize,
        hint: *mut c_void,
    ) -> Result<(), Fail> {
        // SAFETY: as in `number`; the caller vouches for the rest.
        ok(unsafe {
            sys::napi_add_finalizer(self.0, object.0, data, finalize, hint, ptr::null_mut())
        })
    }

    /// Runs `f` in a scope of its own, so that the values it makes are let go at its end.
    pub fn scoped<R>(self, f: impl FnOnce(Js<'_>) -> Result<R, Fail>) -> Result<R, Fail> {
        let mut scope = ptr::null_mut();
        // SAFETY: as in `number`.
        ok(unsafe { sys::napi_open_handle_scope(self.0, &mut scope) })?;
        let result = f(Js(self.0, PhantomData));
        // SAFETY: the scope was opened above and is the innermost one.
        unsafe { sys::napi_close_handle_scope(self.0, scope) };
        result
    }
}
