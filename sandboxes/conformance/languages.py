"""A program in each language: it greets, echoes, fails with a code, and does not compile."""

from dataclasses import dataclass
from typing import Any

from sandboxes.conformance.expecting import expect, expect_that, program
from sandboxes.errors import SandboxMisconfigured
from sandboxes.types import MIB, Sandbox


@dataclass(frozen=True)
class Sample:
    """Sources in one language."""

    echo: str
    """Prints `hello` and the line it was given; exits with 7 when that is `fail`."""
    broken: str
    """Does not compile, or is refused before it runs."""
    compiled: bool = True


SAMPLES = {
    "python": Sample(
        """
        line = input()
        print("hello", line)
        raise SystemExit(7 if line == "fail" else 0)
        """,
        "def (:",
        compiled=False,
    ),
    "c": Sample(
        """
        #include <stdio.h>
        #include <string.h>
        int main(void) {
            char line[100] = "";
            scanf("%99s", line);
            printf("hello %s\\n", line);
            return strcmp(line, "fail") ? 0 : 7;
        }
        """,
        "int main(void) { return no_such_name; }",
    ),
    "cpp": Sample(
        """
        #include <iostream>
        #include <string>
        int main() {
            std::string line;
            std::getline(std::cin, line);
            std::cout << "hello " << line << std::endl;
            return line == "fail" ? 7 : 0;
        }
        """,
        "int main() { return no_such_name; }",
    ),
    "javascript": Sample(
        """
        const line = require("fs").readFileSync(0, "utf8").trim();
        console.log("hello " + line);
        process.exit(line === "fail" ? 7 : 0);
        """,
        "const = ;",
        compiled=False,
    ),
    "bash": Sample(
        """
        read -r line
        echo "hello $line"
        [ "$line" = fail ] && exit 7
        exit 0
        """,
        "if then",
        compiled=False,
    ),
    "java": Sample(
        """
        import java.util.Scanner;
        public class Main {
            public static void main(String[] arguments) {
                String line = new Scanner(System.in).nextLine();
                System.out.println("hello " + line);
                System.exit(line.equals("fail") ? 7 : 0);
            }
        }
        """,
        "public class Main { int x = noSuchName; }",
    ),
    "rust": Sample(
        """
        fn main() {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).unwrap();
            println!("hello {}", line.trim());
            std::process::exit(if line.trim() == "fail" { 7 } else { 0 });
        }
        """,
        "fn main() { no_such_name }",
    ),
    "go": Sample(
        """
        package main

        import (
            "fmt"
            "os"
        )

        func main() {
            var line string
            fmt.Scanln(&line)
            fmt.Println("hello " + line)
            if line == "fail" {
                os.Exit(7)
            }
        }
        """,
        "package main\n\nfunc main() { noSuchName() }",
    ),
}
_LIMITS: dict[str, Any] = {"wall_s": 20.0, "cpu_s": 10.0, "memory_bytes": 512 * MIB, "pids": 64, "open_files": 256}


async def speaks(sandbox: Sandbox, language: str) -> str | None:
    """Check a language; says why where its toolchain is missing.

    Raises:
        Unmet: a program did not do what it says.
        SandboxFault: the sandbox failed for another reason than a missing toolchain.
    """
    sample = SAMPLES[language]
    try:
        async with sandbox.open(program(sample.echo, language=language, **_LIMITS)) as submission:
            for word, code in ((b"you", 0), (b"fail", 7)):
                result = await submission.run(word + b"\n")
                expect(result, exit_code=code, stage="run", stdout=b"hello %s\n" % word)
    except SandboxMisconfigured as missing:
        return f"not offered: {missing}"
    broken = await sandbox.run(program(sample.broken, language=language, **_LIMITS))
    expect(broken, stage="compile" if sample.compiled else "run", stdout=b"")
    expect_that(broken.exit_code not in (None, 0), f"a broken program ended as {broken.outcome}, {broken.exit_code}")
    expect_that(broken.stderr != b"", "a broken program ended without a message")
    return None
