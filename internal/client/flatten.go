package client

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"

	"github.com/orderly-run/orderly/internal/auth"
)

// Flatten turns a request struct into parameters. Field names are parameter names; a list becomes
// Name.1, Name.2, a list of structs Name.1.Field; zero values and nil pointers are left out, what
// a pointer points to is sent even when zero. Params are copied; nil gives none. It panics on a
// field of any other type: that is a bug of the caller.
func Flatten(params any) auth.Params {
	p := auth.Params{}
	switch v := params.(type) {
	case nil:
	case auth.Params:
		maps.Copy(p, v)
	case map[string]string:
		maps.Copy(p, v)
	default:
		flattenStruct(p, "", reflect.ValueOf(v))
	}
	return p
}

func flattenStruct(p auth.Params, prefix string, v reflect.Value) {
	for i := range v.NumField() {
		if field := v.Field(i); !field.IsZero() {
			flattenValue(p, prefix+v.Type().Field(i).Name, field)
		}
	}
}

func flattenValue(p auth.Params, name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		p[name] = v.String()
	case reflect.Bool:
		p[name] = strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int64:
		p[name] = strconv.FormatInt(v.Int(), 10)
	case reflect.Pointer:
		flattenValue(p, name, v.Elem())
	case reflect.Struct:
		flattenStruct(p, name+".", v)
	case reflect.Slice:
		for i := range v.Len() {
			flattenValue(p, name+"."+strconv.Itoa(i+1), v.Index(i))
		}
	default:
		panic(fmt.Sprintf("client: parameter %s is a %s", name, v.Type()))
	}
}
