package console

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/orderly-run/orderly"
	"github.com/orderly-run/orderly/internal/store"
)

// What a page shows or does can be had from the command line and from the API too: each page says how.

var plainWord = regexp.MustCompile(`^[0-9A-Za-z_@%+=:,./-]+$`)

// quote is a word as shells read it.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// words is a command line; an empty word is left out.
func words(list ...string) string {
	var b strings.Builder
	for _, w := range list {
		if w == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(quote(w))
	}
	return b.String()
}

// same is a page's two lines: that of the command line's own verb, and the API's operation with its
// parameters, which are given as Key=Value and left out when they end with the =.
func same(region string, verb []string, action string, params ...string) []line {
	call := []string{"orderly", "api", action, "RegionId=" + region}
	for _, p := range params {
		if !strings.HasSuffix(p, "=") {
			call = append(call, p)
		}
	}
	return []line{{"Command line", words(append([]string{"orderly"}, verb...)...)}, {"API", words(call...)}}
}

// tagParams are the parameters for tags by which something is listed or found.
func tagParams(prefix string, tags []orderly.Tag) (list []string) {
	for i, t := range tags {
		list = append(list, fmt.Sprintf("%s.%d.Key=%s", prefix, i+1, t.Key))
		if t.Value != "" {
			list = append(list, fmt.Sprintf("%s.%d.Value=%s", prefix, i+1, t.Value))
		}
	}
	return list
}

func tagFlags(flag string, tags []orderly.Tag) (list []string) {
	for _, t := range tags {
		list = append(list, flag, t.Key+"="+t.Value)
	}
	return list
}

func sameFleet(region string, f store.InstanceFilter) []line {
	connected := ""
	if f.Connected != nil {
		connected = fmt.Sprint(*f.Connected)
	}
	return same(region, append([]string{"instance", "list"}, tagFlags("--tag", f.Tags)...), "DescribeManagedInstances",
		append([]string{"OsType=" + f.OS, "Connected=" + connected}, tagParams("Tag", f.Tags)...)...)
}

func sameMachine(region, id string) []line {
	return same(region, []string{"instance", "show", id}, "DescribeManagedInstances", "InstanceId.1="+id)
}

func sameRemove(region, id string) []line {
	return same(region, []string{"instance", "remove", id}, "DeregisterManagedInstance", "InstanceId="+id)
}

func sameInvocations(region string, f store.InvocationFilter) []line {
	timed := ""
	if f.Timed != nil {
		timed = fmt.Sprint(*f.Timed)
	}
	return same(region, []string{"invocation", "list"}, "DescribeInvocations", "InvokeStatus="+f.Status, "CommandId="+f.CommandID,
		"CommandName="+f.CommandName, "CommandType="+f.CommandType, "InstanceId="+f.Instance, "RepeatMode="+f.Repeat, "Timed="+timed)
}

func sameInvocation(region, id string) []line {
	return same(region, []string{"invocation", "show", id}, "DescribeInvocationResults", "InvokeId="+id)
}

func sameOutputs(region, id string) []line {
	return same(region, []string{"results", "--diff", id}, "DescribeInvocationResults", "InvokeId="+id)
}

func sameOutput(region, id, instance string) []line {
	return same(region, []string{"logs", "-f", id, "--instance", instance}, "DescribeInvocationResults", "InvokeId="+id, "InstanceId="+instance)
}

func sameStop(region, id string) []line {
	return same(region, []string{"invocation", "stop", id}, "StopInvocation", "InvokeId="+id)
}

func sameRetry(region, id string) []line {
	return same(region, []string{"invocation", "retry", id}, "RunCommand", "CommandContent=…", "InstanceId.1=…")
}

// sameRun is how the form for running a command looks on the command line.
func (c *Console) sameRun(region string, f runForm) []line {
	verb := []string{"run"}
	var where []string
	switch f.Where {
	case "all":
		verb, where = append(verb, "--all"), tagParams("ResourceTag", everywhere.Tags)
	case "tags":
		list := tags(strings.FieldsFunc(f.Tags, separator))
		verb, where = append(verb, tagFlags("--tag", list)...), tagParams("ResourceTag", list)
	default:
		for n, id := range strings.FieldsFunc(f.On, separator) {
			verb, where = append(verb, "--instance", id), append(where, fmt.Sprintf("InstanceId.%d=%s", n+1, id))
		}
	}
	mode, frequency := f.frequency()
	switch mode {
	case orderly.Period:
		verb = append(verb, "--schedule", frequency)
	case orderly.EveryReboot:
		verb = append(verb, "--schedule", "boot")
	case orderly.NextRebootOnly:
		verb = append(verb, "--schedule", "next-boot")
	}
	var settings []string
	for _, g := range [][3]string{{"--name", "Name", f.Name}, {"--timeout", "Timeout", f.Timeout}, {"--user", "Username", f.Username}, {"--workdir", "WorkingDir", f.WorkingDir},
		{"--delivery-timeout", "DeliveryTimeout", f.Delivery}, {"--launcher", "Launcher", f.Launcher}, {"--container", "ContainerName", f.Container}, {"--container-id", "ContainerId", f.ContainerID}} {
		if g[2] == "" {
			continue
		}
		verb = append(verb, g[0], g[2])
		if d, err := duration(g[2], orderly.TimeoutTooLong); err == nil && strings.HasSuffix(g[1], "Timeout") {
			g[2] = strconv.Itoa(int(d / time.Second))
		}
		settings = append(settings, g[1]+"="+g[2])
	}
	for _, p := range f.Values {
		verb = append(verb, "--parameter", p.Name+"="+p.Value)
	}
	values := ""
	if q, err := f.request(region); err == nil && q.Parameters != "" {
		values = q.Parameters
		where = append([]string{"EnableParameter=true"}, where...)
	}
	content := "…"
	if f.Content != "" && len(f.Content) < 200 {
		content = f.Content
	}
	verb = append(verb, "--", content)
	if mode == orderly.Once {
		mode = ""
	}
	return same(region, verb, "RunCommand", append([]string{"Type=" + f.Type, "CommandContent=" + content, "RepeatMode=" + string(mode), "Frequency=" + frequency, "Parameters=" + values}, append(settings, where...)...)...)
}
