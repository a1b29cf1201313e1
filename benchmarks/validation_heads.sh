#!/usr/bin/env bash
# The table of docs/quality/evaluation.md: validation heads degraded to 3 and 5 mm, five methods, one report.
#
#   benchmarks/validation_heads.sh STRUCTURAL OUTPUT [OPTIONS OF enhance]
#   cp OUTPUT/evaluation.md docs/quality/evaluation.md
#
# STRUCTURAL is the folder that has validation/; OUTPUT gets thick/, enhanced/, report/ and evaluation.md. What is finished
# is left as it is, so it goes on after an interrupt, and with new weights everything is enhanced again. Slices lie across
# y, the axis that is truly sharp in all seven heads. On one core: 40 s a head for enhance, half an hour in all.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: $0 STRUCTURAL OUTPUT [OPTIONS OF enhance]" >&2; exit 2; }
heads=$(cd "$1" && pwd)/validation out=$2
shift 2

for spacing in 3 5; do
  mkdir -p "$out/references/${spacing}mm"
  for head in "$heads"/*.nii.gz; do
    name=$(basename "$head")
    ln -sfn "$head" "$out/references/${spacing}mm/$name"
    medidiff simulate thick-slices -q -i "$head" -o "$out/thick/${spacing}mm" --spacing "$spacing" --axis y
    medidiff enhance -q -i "$out/thick/${spacing}mm/$name" -o "$out/enhanced/${spacing}mm" --like "$head" "$@"
  done
done

cd "$out"
medidiff evaluate -p sr-brain=enhanced -r references -o report --input thick --baseline trilinear,cubic,cubic+dc,tv \
  --group folder
{
  echo "Seven heads of \`structural/validation\`, slices of 3 and 5 mm across y (Gaussian profile, no noise), and"
  echo "$(medidiff info | grep -o 'sr-brain [0-9.]*' | head -n 1). Made by \`benchmarks/validation_heads.sh\`; definitions are in"
  echo "[evaluation](../evaluation.md). With seven people p cannot be below 0.016, nor below 0.062 once it is adjusted for four"
  printf "methods: read the intervals and the wins. TV has one weight for both spacings (5e-4).\n\n"
  cat report/summary.md
} > evaluation.md
