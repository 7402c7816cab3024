/* The PORTABLE and NATIVE tables of write.py, compiled: the same bytes, the same limits, and for all else the same
 * NotWritable or TooMuch, upon which the encoder goes on in Python. What is written and why stands in write.py.
 *
 * Only values whose type is exactly one of Python's own (or Atom) are written, so no Python code runs between entry
 * and return, and the GIL is held throughout: no container changes while it is walked, and borrowed references stay
 * good. A call added here must keep to that: Python 3.11 collects garbage, and so runs finalizers, wherever an object
 * that the collector tracks is made, be it only a tuple of arguments.
 *
 * It keeps to the stable ABI, so that one library serves every Python from 3.11 on; that costs a tenth of the speed. */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef Py_GIL_DISABLED
#error "A free-threaded Python takes write.py: what is said above about the GIL doesn't hold there."
#endif

enum { FLOAT = 70, SMALL_INTEGER = 97, INTEGER = 98, SMALL_TUPLE = 104, TUPLE = 105, EMPTY_LIST = 106, LIST = 108,
       BINARY = 109, SMALL_BIGNUM = 110, BIGNUM = 111, MAP = 116, ATOM = 118, SMALL_ATOM = 119, VERSION = 131 };

/* A longer text that isn't ASCII is not left with its UTF-8, see write_text. */
enum { SHORT_TEXT = 1024 };

typedef struct {
    PyObject *not_writable, *too_much, *atom;  /* classes of write.py and terms.py */
    PyObject *bit_length, *to_bytes, *little;  /* names for int's methods */
    Py_ssize_t max_depth, max_elements, max_bits;
} State;

typedef struct {
    const State *state;
    bool native;
    Py_ssize_t budget;          /* how many more values may come */
    unsigned char *data;
    size_t used, room;
    unsigned char first[2048];  /* where `data` begins: most terms need no more */
} Output;

/* Every function that writes returns whether it could; where not, the exception is set. */
static bool write_value(Output *out, PyObject *value, Py_ssize_t depth);

static bool refuse(PyObject *kind)
{
    PyErr_SetNone(kind);
    return false;
}

static bool grow(Output *out, size_t size)
{
    const size_t most = PY_SSIZE_T_MAX / 2;
    size_t room = out->used > most || size > most - out->used ? 0 : 2 * (out->used + size);
    unsigned char *data = room ? PyMem_Realloc(out->data == out->first ? NULL : out->data, room) : NULL;
    if (data == NULL) {
        PyErr_NoMemory();
        return false;
    }
    if (out->data == out->first)
        memcpy(data, out->first, out->used);
    out->data = data;
    out->room = room;
    return true;
}

static bool append(Output *out, const void *bytes, size_t size)
{
    if (size > out->room - out->used && !grow(out, size))
        return false;
    memcpy(out->data + out->used, bytes, size);
    out->used += size;
    return true;
}

/* Append a tag and `width` bytes of a number, the highest first. */
static inline bool put(Output *out, int tag, uint64_t number, int width)
{
    if (9 > out->room - out->used && !grow(out, 9))
        return false;
    unsigned char *at = out->data + out->used;
    *at = (unsigned char)tag;
    for (int place = 1; place <= width; place++)
        at[place] = (unsigned char)(number >> 8 * (width - place));
    out->used += 1 + (size_t)width;
    return true;
}

static bool write_binary(Output *out, const char *bytes, Py_ssize_t size)
{
    if ((uint64_t)size > UINT32_MAX)
        return refuse(out->state->too_much);
    return put(out, BINARY, (uint64_t)size, 4) && append(out, bytes, (size_t)size);
}

static bool write_bytes(Output *out, PyObject *bytes)
{
    return write_binary(out, PyBytes_AsString(bytes), PyBytes_Size(bytes));
}

/* A lone surrogate has no UTF-8; any other failure, such as a lack of memory, stays what it is. */
static bool refuse_text(Output *out)
{
    return PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) ? refuse(out->state->not_writable) : false;
}

/* PyUnicode_AsUTF8AndSize copies nothing where the text is ASCII, else it leaves the UTF-8 in the text for as long as
 * that lives: well for the short ones that most are, a waste for long ones. */
static bool write_text(Output *out, PyObject *text)
{
    if (PyUnicode_GetLength(text) <= SHORT_TEXT) {
        Py_ssize_t size;
        const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
        return bytes == NULL ? refuse_text(out) : write_binary(out, bytes, size);
    }
    PyObject *bytes = PyUnicode_AsUTF8String(text);
    bool done = bytes == NULL ? refuse_text(out) : write_bytes(out, bytes);
    Py_XDECREF(bytes);
    return done;
}

static bool write_atom(Output *out, PyObject *atom)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(atom, &size);
    if (bytes == NULL)
        return refuse_text(out);
    if (PyUnicode_GetLength(atom) > 255)
        return refuse(out->state->not_writable);
    return (size <= 255 ? put(out, SMALL_ATOM, (uint64_t)size, 1) : put(out, ATOM, (uint64_t)size, 2))
        && append(out, bytes, (size_t)size);
}

static bool begin_bignum(Output *out, size_t size, bool negative)
{
    return (size <= 255 ? put(out, SMALL_BIGNUM, size, 1) : put(out, BIGNUM, size, 4)) && put(out, negative, 0, 0);
}

static bool write_long_long(Output *out, long long number)
{
    if (0 <= number && number <= 255)
        return put(out, SMALL_INTEGER, (uint64_t)number, 1);
    if (INT32_MIN <= number && number <= INT32_MAX)
        return put(out, INTEGER, (uint32_t)number, 4);
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    unsigned char bytes[sizeof rest];
    size_t size = 0;
    for (; rest; rest >>= 8)
        bytes[size++] = (unsigned char)rest;
    return begin_bignum(out, size, number < 0) && append(out, bytes, size);
}

/* What no long long holds is written with int's own methods, which are called without a tuple of arguments. */
static bool write_bignum(Output *out, PyObject *number, bool negative)
{
    const State *state = out->state;
    PyObject *counted = PyObject_CallMethodObjArgs(number, state->bit_length, NULL);
    Py_ssize_t bits = counted == NULL ? -1 : PyLong_AsSsize_t(counted);
    Py_XDECREF(counted);
    if (bits < 0 || bits > state->max_bits)
        return bits < 0 ? false : refuse(state->not_writable);
    PyObject *magnitude = PyNumber_Absolute(number);
    PyObject *size = PyLong_FromSsize_t((bits + 7) / 8);
    PyObject *bytes = magnitude == NULL || size == NULL
        ? NULL : PyObject_CallMethodObjArgs(magnitude, state->to_bytes, size, state->little, NULL);
    bool done = bytes != NULL && begin_bignum(out, (size_t)PyBytes_Size(bytes), negative)
        && append(out, PyBytes_AsString(bytes), (size_t)PyBytes_Size(bytes));
    Py_XDECREF(magnitude);
    Py_XDECREF(size);
    Py_XDECREF(bytes);
    return done;
}

static bool write_integer(Output *out, PyObject *number)
{
    int overflow;
    long long small = PyLong_AsLongLongAndOverflow(number, &overflow);
    return overflow ? write_bignum(out, number, overflow < 0) : write_long_long(out, small);
}

static bool write_float(Output *out, double number)
{
    uint64_t bits;  /* CPython runs only where a double is IEEE 754's, and has the byte order of integers */
    memcpy(&bits, &number, sizeof bits);
    return isfinite(number) ? put(out, FLOAT, bits, 8) : refuse(out->state->not_writable);
}

/* Go into a container. `max_depth` also bounds how deep the functions of this file call each other. */
static bool enter(Output *out, Py_ssize_t depth, Py_ssize_t size)
{
    out->budget -= size;
    if (out->budget < 0)
        return refuse(out->state->too_much);
    return depth < out->state->max_depth || refuse(out->state->not_writable);
}

static bool write_list_items(Output *out, PyObject *list, Py_ssize_t size, Py_ssize_t depth)
{
    for (Py_ssize_t at = 0; at < size; at++)
        if (!write_value(out, PyList_GetItem(list, at), depth))
            return false;
    return true;
}

static bool write_tuple_items(Output *out, PyObject *tuple, Py_ssize_t size, Py_ssize_t depth)
{
    for (Py_ssize_t at = 0; at < size; at++)
        if (!write_value(out, PyTuple_GetItem(tuple, at), depth))
            return false;
    return true;
}

/* A list, or in PORTABLE a tuple. */
static bool write_list(Output *out, PyObject *items, Py_ssize_t depth)
{
    bool is_list = Py_TYPE(items) == &PyList_Type;
    Py_ssize_t size = is_list ? PyList_Size(items) : PyTuple_Size(items);
    if (size == 0)
        return put(out, EMPTY_LIST, 0, 0);
    return enter(out, depth, size) && put(out, LIST, (uint64_t)size, 4)
        && (is_list ? write_list_items : write_tuple_items)(out, items, size, depth + 1)
        && put(out, EMPTY_LIST, 0, 0);
}

static bool write_tuple(Output *out, PyObject *tuple, Py_ssize_t depth)
{
    Py_ssize_t size = PyTuple_Size(tuple);
    return enter(out, depth, size)
        && (size <= 255 ? put(out, SMALL_TUPLE, (uint64_t)size, 1) : put(out, TUPLE, (uint64_t)size, 4))
        && write_tuple_items(out, tuple, size, depth + 1);
}

/* Tell whether no two keys can be one to the BEAM: they are all text, or in NATIVE all of one type of _UNLIKE. */
static bool has_safe_keys(const Output *out, PyObject *map)
{
    PyTypeObject *kind = out->native ? NULL : &PyUnicode_Type;
    PyObject *key;
    for (Py_ssize_t at = 0; PyDict_Next(map, &at, &key, NULL);) {
        if (kind == NULL)
            kind = Py_TYPE(key);
        if (Py_TYPE(key) != kind)
            return false;
    }
    return kind == NULL || kind == &PyUnicode_Type || kind == &PyBytes_Type || kind == &PyLong_Type
        || kind == &PyFloat_Type || (PyObject *)kind == out->state->atom;
}

static bool write_map(Output *out, PyObject *map, Py_ssize_t depth)
{
    Py_ssize_t size = PyDict_Size(map);
    if (!has_safe_keys(out, map))
        return refuse(out->state->not_writable);
    if (!enter(out, depth, 2 * size) || !put(out, MAP, (uint64_t)size, 4))
        return false;
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(map, &at, &key, &value);)
        if (!write_value(out, key, depth + 1) || !write_value(out, value, depth + 1))
            return false;
    return true;
}

static bool write_value(Output *out, PyObject *value, Py_ssize_t depth)
{
    PyTypeObject *kind = Py_TYPE(value);
    if (kind == &PyUnicode_Type)
        return write_text(out, value);
    if (kind == &PyLong_Type)
        return write_integer(out, value);
    if (kind == &PyDict_Type)
        return write_map(out, value, depth);
    if (kind == &PyList_Type || (kind == &PyTuple_Type && !out->native))
        return write_list(out, value, depth);
    if (value == Py_None)
        return append(out, "w\003nil", 5);
    if (kind == &PyBool_Type)
        return value == Py_True ? append(out, "w\004true", 6) : append(out, "w\005false", 7);
    if (kind == &PyFloat_Type)
        return write_float(out, PyFloat_AsDouble(value));
    if (kind == &PyBytes_Type)
        return write_bytes(out, value);
    if (kind == &PyTuple_Type)
        return write_tuple(out, value, depth);
    if (out->native && (PyObject *)kind == out->state->atom)
        return write_atom(out, value);
    return refuse(out->state->not_writable);
}

static PyObject *write_term(PyObject *module, PyObject *value, bool native)
{
    Output out;  /* its fields are set one by one, as an initializer would clear `first` as well */
    out.state = PyModule_GetState(module);
    out.native = native;
    out.budget = out.state->max_elements;
    out.data = out.first;
    out.used = 0;
    out.room = sizeof out.first;
    bool done = put(&out, VERSION, 0, 0) && write_value(&out, value, 0);
    PyObject *term = done ? PyBytes_FromStringAndSize((char *)out.data, (Py_ssize_t)out.used) : NULL;
    if (out.data != out.first)
        PyMem_Free(out.data);
    return term;
}

static PyObject *write_portable(PyObject *module, PyObject *value)
{
    return write_term(module, value, false);
}

static PyObject *write_native(PyObject *module, PyObject *value)
{
    return write_term(module, value, true);
}

static bool take_limit(PyObject *python, const char *name, Py_ssize_t *limit)
{
    PyObject *value = PyObject_GetAttrString(python, name);
    *limit = value == NULL ? -1 : PyLong_AsSsize_t(value);
    Py_XDECREF(value);
    return *limit >= 0;
}

static int prepare(PyObject *module)
{
    State *state = PyModule_GetState(module);
    PyObject *python = PyImport_ImportModule("bridge.codecs.etf.write");
    bool done = python
        && (state->not_writable = PyObject_GetAttrString(python, "NotWritable"))
        && (state->too_much = PyObject_GetAttrString(python, "TooMuch"))
        && (state->atom = PyObject_GetAttrString(python, "Atom"))
        && (state->bit_length = PyUnicode_InternFromString("bit_length"))
        && (state->to_bytes = PyUnicode_InternFromString("to_bytes"))
        && (state->little = PyUnicode_InternFromString("little"))
        && take_limit(python, "MAX_DEPTH", &state->max_depth)
        && take_limit(python, "MAX_ELEMENTS", &state->max_elements)
        && take_limit(python, "MAX_BITS", &state->max_bits);
    Py_XDECREF(python);
    return done ? 0 : -1;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->not_writable);
    Py_VISIT(state->too_much);
    Py_VISIT(state->atom);
    return 0;
}

static int clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->not_writable);
    Py_CLEAR(state->too_much);
    Py_CLEAR(state->atom);
    Py_CLEAR(state->bit_length);
    Py_CLEAR(state->to_bytes);
    Py_CLEAR(state->little);
    return 0;
}

static void release(void *module)
{
    clear(module);
}

static PyMethodDef functions[] = {
    {"write_portable", write_portable, METH_O, "Return what `write(value, PORTABLE)` of write.py returns."},
    {"write_native", write_native, METH_O, "Return what `write(value, NATIVE)` of write.py returns."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, prepare}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_write",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__write(void)
{
    return PyModuleDef_Init(&definition);
}
