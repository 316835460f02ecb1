import { defineBasicModules } from './basic-modules.ts';
import { describePlan } from './plan.ts';
import { plans } from './plans.ts';

describePlan(plans.formPostBasic, 'postgres', defineBasicModules, { responseMode: 'form_post' });
