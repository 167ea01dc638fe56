package rpc

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A plan says how parameters become a struct of one type. It is made once for each action, so
// that a request costs one pass over its parameters and no look at types.
type plan struct {
	fields []field
	lists  map[string]int // fields that are lists, by name: position in fields
	names  map[string]bool
}

// A field is one parameter.
type field struct {
	name     string
	index    []int // for FieldByIndex; longer than one inside embedded structs
	required bool
	unless   string // a parameter that can stand in for it
	when     string // the parameter whose value, the next field, makes it required; "" for always
	value    string
	missing  string // code when required and absent
	invalid  string // code when malformed
	set      setter // of a scalar, or of one element of a list of scalars
	list     bool
	elem     *plan // of one element of a list of structs
}

// A setter puts text into a value, or reports that it does not fit.
type setter func(v reflect.Value, text string) bool

// planOf panics on a type that parameters cannot fill: that is a bug of the dialect.
func planOf(t reflect.Type) *plan {
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("rpc: request type %s is not a struct", t))
	}
	p := &plan{lists: map[string]int{}, names: map[string]bool{}}
	p.add(t, nil)
	for _, f := range p.fields {
		p.names[f.name] = true
	}
	return p
}

func (p *plan) add(t reflect.Type, at []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(slices.Clone(at), i)
		switch {
		case sf.Anonymous && sf.Type.Kind() == reflect.Struct:
			p.add(sf.Type, index)
		case sf.IsExported():
			f := fieldOf(sf, index)
			if f.list {
				p.lists[f.name] = len(p.fields)
			}
			p.fields = append(p.fields, f)
		}
	}
}

func fieldOf(sf reflect.StructField, index []int) field {
	f := field{name: sf.Name, index: index}
	name, options, _ := strings.Cut(sf.Tag.Get("rpc"), ",")
	if name != "" {
		f.name = name
	}
	f.missing, f.invalid = "MissingParameter."+f.name, "InvalidParameter."+f.name
	for option := range strings.SplitSeq(options, ",") {
		switch key, value, _ := strings.Cut(option, "="); key {
		case "":
		case "required":
			f.required = true
		case "unless":
			f.required, f.unless = true, value
		case "when":
			f.required = true
			f.when, f.value, _ = strings.Cut(value, ":")
		case "missing":
			f.missing = value
		case "code":
			f.invalid = value
		default:
			panic(fmt.Sprintf("rpc: field %s has an unknown option %q", sf.Name, option))
		}
	}
	t := sf.Type
	if f.list = t.Kind() == reflect.Slice; f.list {
		t = t.Elem()
	}
	if f.list && t.Kind() == reflect.Struct {
		f.elem = planOf(t)
	} else {
		f.set = setterOf(t)
	}
	return f
}

func setterOf(t reflect.Type) setter {
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value, text string) bool { v.SetString(text); return true }
	case reflect.Bool:
		return setBool
	case reflect.Int, reflect.Int32, reflect.Int64:
		return setInt
	case reflect.Pointer:
		return setPointer(t.Elem(), setterOf(t.Elem()))
	}
	panic(fmt.Sprintf("rpc: a parameter cannot be a %s", t))
}

func setBool(v reflect.Value, text string) bool {
	v.SetBool(strings.EqualFold(text, "true"))
	return text == "" || v.Bool() || strings.EqualFold(text, "false")
}

func setInt(v reflect.Value, text string) bool {
	if text == "" {
		return true
	}
	n, err := strconv.ParseInt(text, 10, v.Type().Bits())
	v.SetInt(n)
	return err == nil
}

// setPointer leaves nil for an empty number or bool, which counts as absent.
func setPointer(t reflect.Type, set setter) setter {
	return func(v reflect.Value, text string) bool {
		if text == "" && t.Kind() != reflect.String {
			return true
		}
		target := reflect.New(t)
		if !set(target.Elem(), text) {
			return false
		}
		v.Set(target)
		return true
	}
}

// An element is one parameter of a list: Name.N, or Name.N.Rest.
type element struct {
	n           int
	rest, value string
}

// decode fills v from the parameters. All required ones are looked for before form, when it is not
// nil, and then their own forms are looked at; and fields are read in their order, so that the same
// request always gives the same error.
func (p *plan) decode(v reflect.Value, params map[string]string, form func(map[string]string) error) error {
	lists := p.collect(params)
	given := func(name string) bool {
		if i, list := p.lists[name]; list {
			return len(lists[i]) > 0
		}
		return params[name] != ""
	}
	for _, f := range p.fields {
		needed := f.required && (f.when == "" || params[f.when] == f.value)
		if needed && !given(f.name) && !given(f.unless) {
			return f.refuse(f.missing, "You must specify %s.")
		}
	}
	if form != nil {
		if err := form(p.known(params)); err != nil {
			return err
		}
	}
	for i, f := range p.fields {
		target := v.FieldByIndex(f.index)
		if f.list {
			if err := f.fill(target, lists[i]); err != nil {
				return err
			}
		} else if text, ok := params[f.name]; ok && !f.set(target, text) {
			return f.refuse(f.invalid, "The specified parameter %s is not valid.")
		}
	}
	return nil
}

// known are the parameters that p reads. What a caller makes up beside them is ignored, whatever it holds.
func (p *plan) known(params map[string]string) map[string]string {
	known := make(map[string]string, len(params))
	for name, value := range params {
		if parameter, _, _ := strings.Cut(name, "."); p.names[parameter] {
			known[name] = value
		}
	}
	return known
}

func (f *field) refuse(code, format string) error {
	e := refuse(http.StatusBadRequest, code, format, f.name)
	e.general = true
	return e
}

// collect sorts out the elements of each list by the list's position among the fields.
func (p *plan) collect(params map[string]string) map[int][]element {
	if len(p.lists) == 0 {
		return nil
	}
	found := make(map[int][]element, len(p.lists))
	for name, value := range params {
		list, tail, dotted := strings.Cut(name, ".")
		i, ok := p.lists[list]
		if !ok {
			continue
		}
		e, ok := p.fields[i].bare(value)
		if dotted {
			e, ok = p.fields[i].element(tail, value)
		}
		if ok {
			found[i] = append(found[i], e)
		}
	}
	for _, elements := range found {
		slices.SortFunc(elements, func(a, b element) int { return a.n - b.n })
	}
	return found
}

// bare is a list's name without a number: a list of one.
func (f *field) bare(value string) (element, bool) {
	return element{n: -1, value: value}, f.elem == nil && value != ""
}

// element reads what follows the list's name and its dot: N, or N.Rest in a list of structs.
func (f *field) element(tail, value string) (element, bool) {
	number, rest, dotted := strings.Cut(tail, ".")
	n, err := strconv.Atoi(number)
	ok := err == nil && strconv.Itoa(n) == number && 0 <= n && n <= maxIndex
	return element{n, rest, value}, ok && dotted == (f.elem != nil)
}

// fill makes the list of elements sorted by number.
func (f *field) fill(target reflect.Value, elements []element) error {
	if f.elem != nil {
		return f.fillStructs(target, elements)
	}
	if len(elements) == 0 {
		return nil
	}
	list := reflect.MakeSlice(target.Type(), len(elements), len(elements))
	for i, e := range elements {
		if !f.set(list.Index(i), e.value) {
			return f.refuse(f.invalid, "The specified parameter %s is not valid.")
		}
	}
	target.Set(list)
	return nil
}

func (f *field) fillStructs(target reflect.Value, elements []element) error {
	for len(elements) > 0 {
		params := map[string]string{}
		n := elements[0].n
		for len(elements) > 0 && elements[0].n == n {
			params[elements[0].rest] = elements[0].value
			elements = elements[1:]
		}
		item := reflect.New(target.Type().Elem()).Elem()
		if err := f.elem.decode(item, params, nil); err != nil {
			return err
		}
		target.Set(reflect.Append(target, item))
	}
	return nil
}
