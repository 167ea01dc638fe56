package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/orderly-run/orderly/e2e/stage"
)

// Each of the vendor's Node clients sends a file to a real agent and reads every value of what came of it.
func TestNodeClientsSendFiles(t *testing.T) { // SF-1, SF-4
	t.Parallel()
	s := stage.Open(t, stage.Options{})
	a := s.Agent("one")
	for _, form := range nodeForms {
		t.Run(form.name, func(t *testing.T) {
			c := openNode(t, form.name, s)
			dir := t.TempDir()
			content := "Jack & Jill+*~ é\n<x>"
			sent := c.call("SendFile", object{
				"RegionId": stage.Region, "Name": "hard & *~", "TargetDir": dir, "Content": content, "Description": "<é>", "FileMode": "755",
				"Overwrite": true, "Timeout": 30, "InstanceId": []string{a.ID}, "Tag": []object{{"Key": "k 1", "Value": "v*~1"}},
			})
			check(t, "SendFile", sent, object{"InvokeId": anyID})
			var got object
			stage.Await(t, stage.Patience, "the file is in its place", func() error {
				got = c.call("DescribeSendFileResults", object{"RegionId": stage.Region, "InvokeId": sent["InvokeId"]})
				list, _ := got["Invocations"].(object)["Invocation"].([]any)
				if len(list) != 1 {
					return fmt.Errorf("%d files", len(list))
				}
				if s := list[0].(object)["InvocationStatus"]; s == "Pending" || s == "Running" {
					return fmt.Errorf("it is %v", s)
				}
				return nil
			})
			check(t, "DescribeSendFileResults", got, object{
				"TotalCount": 1.0, "PageNumber": 1.0, "PageSize": 10.0, "NextToken": "", "Invocations": object{"Invocation": []any{object{
					"InvokeId": sent["InvokeId"], "Name": "hard & *~", "Description": "<é>", "TargetDir": dir, "Content": content, "ContentType": "PlainText",
					"FileOwner": "root", "FileGroup": "root", "FileMode": "755", "Overwrite": "true", "VmCount": 1.0, "CreationTime": anyTime,
					"InvocationStatus": "Success", "Tags": object{"Tag": []any{object{"TagKey": "k 1", "TagValue": "v*~1"}}},
					"InvokeInstances": object{"InvokeInstance": []any{object{
						"InstanceId": a.ID, "InvocationStatus": "Success", "ErrorCode": "", "ErrorInfo": "",
						"CreationTime": anyTime, "StartTime": anyTime, "UpdateTime": anyTime, "FinishTime": anyTime,
					}}},
				}}},
			})
			want := onDisk{content, 0o755, uint32(os.Geteuid()), uint32(os.Getegid())}
			if on := lookAt(t, filepath.Join(dir, "hard & *~")); on != want {
				t.Errorf("on the disk: %+v, want %+v", on, want)
			}
		})
	}
}
