type Target = string | { [condition: string]: Target };

export type Manifest = {
  name: string;
  version: string;
  exports: Record<string, Target>;
  imports?: Record<string, Target>;
  dependencies?: Record<string, string>;
  [field: string]: unknown;
};

/** The package.json of what is published: the one of the sources, with every path where tsc has put it. */
export function publishedManifest(manifest: Manifest): Manifest {
  const { private: _, scripts: __, devDependencies: ___, ...rest } = manifest;
  return {
    ...rest,
    exports: {
      ...Object.fromEntries(
        Object.entries(manifest.exports).map(([name, target]) => [
          name,
          typeof target === 'string'
            ? { types: emitted(target, '.d.ts'), default: emitted(target, '.js') }
            : move(target),
        ]),
      ),
      './package.json': './package.json',
    },
    ...(manifest.imports === undefined
      ? {}
      : {
          imports: Object.fromEntries(
            Object.entries(manifest.imports).map(([name, target]) => [name, move(target)]),
          ),
        }),
    // In the house one version is everybody's; whoever installs the package may have a newer one of the same kind.
    dependencies: Object.fromEntries(
      Object.entries(manifest.dependencies ?? {}).map(([name, version]) => [name, `^${version}`]),
    ),
    sideEffects: Object.keys(manifest.exports).includes('./register') ? ['./register.js'] : false,
    engines: { node: '>=20.19' },
  };
}

function move(target: Target): Target {
  if (typeof target === 'string') return emitted(target, '.js');
  return Object.fromEntries(Object.entries(target).map(([condition, to]) => [condition, move(to)]));
}

function emitted(path: string, extension: string): string {
  return path.replace(/^\.\/src\//, './').replace(/\.ts$/, extension);
}
